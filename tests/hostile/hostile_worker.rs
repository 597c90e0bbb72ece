//! A worker that has been taken over can at worst return wrong bytes, or die: whatever it sends and does costs the one
//! call, offproc kills it, and the next call gets another worker.

use offproc::{BrokenWorkerError, Error, Fd, Receiver, SharedBytes, Transport, WorkerContext, channel};
use offproc_tests::hostile::{
    self, DONE, HELLO, LEAVES, STAYS, TAKEN, TURN, VERSION, answer, frame, header, reply, say, scribble, stay, value,
};
use offproc_tests::portable::is_left_out;
use offproc_tests::rendezvous::{Arrivals, arrive};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::until;
use offproc_tests::{Case, job, matrix, process};
use rustix::fs::{FallocateFlags, MemfdFlags, OFlags, SealFlags};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

matrix!(
    talks_nonsense_on_its_connection,
    writes_nonsense_into_the_words,
    floods_its_connection,
    sends_the_wrong_descriptors,
    sends_too_many_descriptors,
    sends_what_takes_an_hour_to_close,
    sends_what_takes_an_hour_to_close_over_a_channel,
    says_again_and_again_that_it_took_no_job,
    makes_its_parent_wait_for_a_silent_bell,
    does_what_it_likes_with_the_memory,
    never_reads_what_is_sent_to_it,
    answers_with_a_value_without_a_bottom,
    answers_twice_and_before_it_was_asked,
);

/// Those that there are.
fn transports() -> impl Iterator<Item = Transport> {
    [Transport::SharedMemory, Transport::Stream].into_iter().skip(usize::from(cfg!(offproc_portable)))
}

fn context(case: Case, transport: Transport) -> WorkerContext {
    // The workers of these tests do not leave when they are asked to.
    let builder =
        case.builder().transport(transport).grace_period(Duration::from_millis(100)).max_message_size(1 << 20);
    builder.open().unwrap()
}

/// The end of a job that has answered in its worker's place: what would become of the next one is not the point.
fn end() -> ! {
    job::end_at_once(0);
    unreachable!()
}

/// The call must end in one clear error, and the worker with it; the next call is as any.
async fn must_break<A, R>(context: &WorkerContext, f: fn(A) -> R, argument: A) -> BrokenWorkerError
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned + std::fmt::Debug,
{
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let error = match context.run_sync(f, argument).await {
        Err(Error::BrokenWorker(error)) => error,
        other => panic!("not a broken worker: {other:?}"),
    };
    process::must_end(before);
    assert_ne!(context.run_sync(job::pid, ()).await.unwrap(), before);
    error
}

async fn talks_nonsense_on_its_connection(case: Case) {
    let context = context(case, Transport::Stream);
    for message in [
        vec![0xff; 64],
        header(VERSION - 1, DONE, 0),
        header(VERSION, 99, 0),
        header(VERSION, DONE, u64::MAX),
        header(VERSION, DONE, (1 << 20) + 4097),
        frame(HELLO, b""),
        frame(hostile::ATTACHED, &value(&[0])),
        frame(STAYS, b""),
    ] {
        let error = must_break(
            &context,
            |message: Vec<u8>| -> () {
                say(&message, &[]);
                stay()
            },
            message,
        )
        .await;
        assert_eq!(error.count(), 1);
    }
    let _ = context.close().await;
}

async fn writes_nonsense_into_the_words(case: Case) {
    if is_left_out("it shares no memory") {
        return;
    }
    let context = context(case, Transport::SharedMemory);
    let most = (1 << 20) + 4096;
    for (kind, length, descriptors) in [
        (0, 0, 0),
        (u32::from(STAYS), 0, 0),
        (u32::from(DONE) | 0x100, 0, 0),
        (u32::MAX, u64::MAX, u32::MAX),
        (DONE.into(), u64::MAX, 0),
        (DONE.into(), u64::MAX - 4095, 0),
        (DONE.into(), most + 1, 0),
        (DONE.into(), 0, 1),
    ] {
        must_break(
            &context,
            |(kind, length, descriptors)| -> () {
                reply(kind, length, descriptors);
                stay()
            },
            (kind, length, descriptors),
        )
        .await;
    }
    // Words that mean nothing now are not looked at.
    let odd = |()| {
        for at in (TURN..hostile::REPLY).step_by(4) {
            // All but the length of the job, which is read by now.
            scribble(at, &u32::MAX.to_ne_bytes());
        }
        hostile::ring();
    };
    let _ = context.run_sync(odd, ()).time_limit(Duration::from_millis(200)).await;
    context.run_sync(job::pid, ()).await.unwrap();
    // It has hung up, and says that there are descriptors.
    must_break(
        &context,
        |()| -> () {
            rustix::net::shutdown(hostile::control(), rustix::net::Shutdown::Both).unwrap();
            reply(DONE.into(), 0, 1);
            stay()
        },
        (),
    )
    .await;
    let _ = context.close().await;
}

async fn floods_its_connection(case: Case) {
    let context = context(case, Transport::Stream);
    for kind in [STAYS, DONE, hostile::ATTACHED] {
        let flood = |kind: u8| -> () {
            let frames = frame(kind, b"").repeat(1000);
            while say(&frames, &[]) {}
            stay()
        };
        let before = context.run_sync(job::pid, ()).await.unwrap();
        match (kind, context.run_sync(flood, kind).await) {
            // `Done` is its answer, although it goes on.
            (DONE, Ok(())) | (_, Err(Error::BrokenWorker(_))) => {}
            other => panic!("{other:?}"),
        }
        process::kill(before);
        process::must_end(before);
        while context.run_sync(job::pid, ()).await.is_err() {}
    }
    let _ = context.close().await;
}

fn sealed(length: u64, seals: SealFlags) -> OwnedFd {
    let memory = rustix::fs::memfd_create("hostile", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&memory, length).unwrap();
    rustix::fs::fcntl_add_seals(&memory, seals).unwrap();
    memory
}

/// What a `SharedBytes` of so many bytes, as the first descriptor, is in an answer.
fn reference(length: u8) -> [u8; 5] {
    [1, 0, length, 1, 0]
}

async fn sends_the_wrong_descriptors(case: Case) {
    if is_left_out("it takes no memory from others, wrong or right") {
        return;
    }
    for transport in transports() {
        let context = context(case, transport);
        let whole = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        // The last one is as it has to be: the others fail for what is wrong with them.
        for (length, seals) in
            [(64, SealFlags::empty()), (64, SealFlags::WRITE), (64, SealFlags::SHRINK), (63, whole), (64, whole)]
        {
            let send = |(length, seals): (u64, u32)| -> SharedBytes {
                answer(&reference(64), &[sealed(length, SealFlags::from_bits_retain(seals))]);
                end()
            };
            match context.run_sync(send, (length, seals.bits())).await {
                Ok(bytes) => assert!((length, seals) == (64, whole) && *bytes == [0; 64]),
                Err(Error::Decode(_)) => assert!((length, seals) != (64, whole)),
                other => panic!("{other:?}"),
            }
        }
        // What is no memory at all, and what is not there.
        for count in [0, 1] {
            let send = |count: usize| -> SharedBytes {
                let pipes: Vec<_> = (0..count).map(|_| rustix::pipe::pipe().unwrap().0).collect();
                answer(&reference(64), &pipes);
                end()
            };
            assert!(matches!(context.run_sync(send, count).await, Err(Error::Decode(_))));
        }
        let refer = |()| -> SharedBytes {
            answer(&[1, 77, 64, 0], &[]);
            end()
        };
        assert!(matches!(context.run_sync(refer, ()).await, Err(Error::Decode(_))), "what was never lent");
        let far = |()| -> Fd<OwnedFd> {
            answer(&[0xff, 0xff, 0xff, 0xff, 0x0f], &[]);
            end()
        };
        assert!(matches!(context.run_sync(far, ()).await, Err(Error::Decode(_))));
        let _ = context.close().await;
    }
}

async fn sends_too_many_descriptors(case: Case) {
    for transport in transports() {
        let context = context(case, transport);
        let send = |()| -> u8 {
            let many: Vec<_> = (0..253).map(|_| hostile::control().try_clone_to_owned().unwrap()).collect();
            if hostile::memory().is_none() {
                // In two parts, which are one frame.
                say(&[VERSION], &many[..100]);
                say(&frame(DONE, &value(&[7]))[1..], &many);
            } else {
                answer(&[7], &many);
            }
            end()
        };
        // They are closed, which the check for leaks at the end sees.
        assert_eq!(context.run_sync(send, ()).await.unwrap(), 7);
        let _ = context.close().await;
    }
}

/// How a worker gets rid of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Way {
    /// With an answer that has no place for it.
    Untaken,
    /// Behind more others than an answer can have.
    InExcess,
    /// As memory, which it is not.
    AsMemory,
    /// On its connection, where the parent expects none.
    Unread,
    /// On its lifeline, from which the parent does not read.
    OnLifeline,
}

fn send_what_lingers((way, address): (Way, String)) -> (u8, SharedBytes) {
    let mut sent = vec![hostile::lingering(&address)];
    let line = if way == Way::OnLifeline { hostile::lifeline() } else { hostile::control() };
    if matches!(way, Way::Unread | Way::OnLifeline) {
        hostile::say_on(line, &[0], &sent);
        drop(sent);
        end();
    }
    if way == Way::InExcess {
        sent.splice(0..0, (0..252).map(|_| hostile::control().try_clone_to_owned().unwrap()));
    }
    // The one that has it last is the parent.
    let bytes: &[u8] = if way == Way::AsMemory { &reference(64) } else { &[0, 0] };
    let body = value(&[&[7], bytes].concat());
    if hostile::memory().is_some() {
        say(&frame(hostile::ATTACHED, &value(&[0])), &sent);
        drop(sent);
        scribble(4096, &body);
        reply(DONE.into(), body.len() as u64, 1);
    } else {
        let frame = frame(DONE, &body);
        say(&frame[..1], &sent);
        drop(sent);
        say(&frame[1..], &[]);
    }
    end()
}

async fn sends_what_takes_an_hour_to_close(case: Case) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let other = case.context();
    for transport in transports() {
        for way in [Way::Untaken, Way::InExcess, Way::AsMemory, Way::Unread, Way::OnLifeline] {
            if (transport, way) == (Transport::Stream, Way::InExcess) {
                continue; // closed on arrival, when the worker may still have it
            }
            // Which has the lifeline read.
            let has_details = way == Way::OnLifeline;
            let context = case.builder().transport(transport).fault_details(has_details).open().unwrap();
            let outcome = context.run_sync(send_what_lingers, (way, address.clone())).await;
            match way {
                Way::Untaken | Way::InExcess => assert_eq!(outcome.unwrap().0, 7),
                Way::AsMemory => assert!(matches!(outcome, Err(Error::Decode(_))), "{outcome:?}"),
                Way::Unread | Way::OnLifeline => assert!(matches!(outcome, Err(Error::BrokenWorker(_)))),
            }
            let _ = context.close().await;
            // A start does not wait for threads that close.
            other.run_sync(job::pid, ()).await.unwrap();
            // Closed at once, although the other side has taken nothing so far.
            until("no thread closes any more", || closers().is_empty()).await;
            let (mut peer, _) = listener.accept().unwrap();
            peer.set_nonblocking(true).unwrap();
            until("no process has it any more", || is_at_its_end(&mut peer)).await;
        }
    }
    other.close().await.unwrap();
}

/// The sockets of this process.
fn sockets() -> Vec<RawFd> {
    let is_socket = |number: &RawFd| {
        let link = std::fs::read_link(format!("/proc/self/fd/{number}"));
        link.is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
    };
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(is_socket).collect()
}

/// A receiver with a descriptor on its socket.
fn receiver_of_what_lingers(address: String) -> Receiver<u8> {
    let before = sockets();
    let (sender, receiver) = channel(1);
    for socket in sockets().into_iter().filter(|socket| !before.contains(socket)) {
        // SAFETY: it is open for as long as the channel is.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        assert!(hostile::say_on(socket, &[1], &[hostile::lingering(&address)]));
    }
    std::mem::forget(sender);
    receiver
}

async fn sends_what_takes_an_hour_to_close_over_a_channel(case: Case) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for is_sent_on in [false, true] {
        let (context, other) = (case.context(), case.context());
        let receiver = context.run_sync(receiver_of_what_lingers, address.clone()).await.unwrap();
        let _ = context.close().await;
        let dies = |receiver: Receiver<u8>| -> () {
            std::mem::forget(receiver);
            end()
        };
        let ends = std::thread::spawn(move || {
            if is_sent_on {
                // This process is the last that has it.
                assert!(matches!(other.run_sync(dies, receiver).wait(), Err(Error::BrokenWorker(_))));
            } else {
                drop(receiver);
            }
            let _ = other.close().wait();
        });
        until("nothing waits for what takes an hour", || ends.is_finished()).await;
        ends.join().unwrap();
        let peers = [listener.accept().unwrap().0, listener.accept().unwrap().0];
        if is_sent_on {
            // A thread waits until they are closed.
            drop(peers);
        } else {
            for mut peer in peers {
                peer.set_nonblocking(true).unwrap();
                until("no process has it any more", || is_at_its_end(&mut peer)).await;
            }
        }
        until("no thread closes any more", || closers().is_empty()).await;
    }
}

/// Reads what there is; true once no process has the other end.
fn is_at_its_end(peer: &mut TcpStream) -> bool {
    loop {
        match peer.read(&mut [0; 1 << 16]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) => return e.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// The states of the threads that close what may take long.
fn closers() -> Vec<char> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| Some(task.ok()?.path()));
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.join("stat")).ok());
    let state = |stat: String| stat.split_once("(offproc-close) ")?.1.chars().next();
    stats.filter_map(state).collect()
}

async fn says_again_and_again_that_it_took_no_job(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    for transport in transports() {
        let context = context(case, transport);
        let lie = |ticket: String| -> () {
            arrive(&ticket);
            if hostile::memory().is_some() {
                scribble(TAKEN, &0_u32.to_ne_bytes());
                job::end_at_once(0);
            }
            say(&frame(LEAVES, b""), &[]);
            stay()
        };
        match context.run_sync(lie, arrivals.ticket()).await {
            Err(Error::BrokenWorker(_)) => {}
            other => panic!("not a broken worker: {other:?}"),
        }
        let mut runs = 0;
        while arrivals.try_next().is_some() {
            runs += 1;
        }
        assert!(runs < 10, "it ran {runs} times");
        context.run_sync(job::pid, ()).await.unwrap();
        let _ = context.close().await;
    }
}

async fn makes_its_parent_wait_for_a_silent_bell(case: Case) {
    if is_left_out("it shares no memory") {
        return;
    }
    let context = context(case, Transport::SharedMemory);
    let silence = |()| -> () {
        let bell = hostile::bell();
        rustix::fs::fcntl_setfl(bell, OFlags::empty()).unwrap();
        loop {
            // Rung, and silent again by the time that the parent comes to read it.
            hostile::ring();
            rustix::io::read(bell, &mut [0; 8]).unwrap();
        }
    };
    for _ in 0..3 {
        let limit = Duration::from_millis(100);
        assert!(matches!(context.run_sync(silence, ()).time_limit(limit).await, Err(Error::TimedOut)));
        context.run_sync(job::pid, ()).await.unwrap();
    }
    let _ = context.close().await;
}

async fn does_what_it_likes_with_the_memory(case: Case) {
    if is_left_out("it shares no memory") {
        return;
    }
    let context = context(case, Transport::SharedMemory);
    let shrink = |()| {
        let memory = hostile::memory().unwrap();
        (0..16).all(|pages| rustix::fs::ftruncate(memory, pages * 4096).is_err())
            && rustix::fs::fcntl_add_seals(memory, SealFlags::WRITE).is_err()
    };
    assert!(context.run_sync(shrink, ()).await.unwrap(), "the parent would get SIGBUS");
    let grow = |()| rustix::fs::ftruncate(hostile::memory().unwrap(), 1 << 40).is_ok();
    assert!(context.run_sync(grow, ()).await.unwrap());
    let punch = |()| {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(hostile::memory().unwrap(), flags, 0, 1 << 20).unwrap();
        vec![1_u8; 100_000]
    };
    // The worker is out of step with its own words, but its parent is not.
    let _ = context.run_sync(punch, ()).time_limit(Duration::from_millis(200)).await;
    context.run_sync(job::pid, ()).await.unwrap();
    let _ = context.close().await;
}

async fn never_reads_what_is_sent_to_it(case: Case) {
    if is_left_out("it shares no memory") {
        return;
    }
    let context = context(case, Transport::SharedMemory);
    // In its place, a thread answers each turn at once.
    let deaf = |()| -> () {
        let memory = hostile::memory().unwrap();
        let mut last = [0; 4];
        loop {
            let mut turn = [0; 4];
            rustix::io::pread(memory, &mut turn, TURN).unwrap();
            if turn != last {
                last = turn;
                reply(DONE.into(), 0, 0);
            }
            std::thread::yield_now();
        }
    };
    let before = context.run_sync(job::pid, ()).await.unwrap();
    context.run_sync(deaf, ()).await.unwrap();
    let null = || Fd(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
    let take = |_: Fd<OwnedFd>| ();
    let mut calls = 0;
    let error = loop {
        match context.run_sync(take, null()).await {
            Ok(()) => calls += 1,
            Err(error) => break error,
        }
        assert!(calls < 100_000);
    };
    assert!(matches!(error, Error::BrokenWorker(_)), "{error}");
    process::must_end(before);
    context.run_sync(take, null()).await.unwrap();
    let _ = context.close().await;
}

#[derive(Debug, Serialize, Deserialize)]
enum Nest {
    Bottom,
    Deeper(Box<Nest>),
}

async fn answers_with_a_value_without_a_bottom(case: Case) {
    for transport in transports() {
        let context = context(case, transport);
        let forge = |depth: usize| -> Nest {
            let mut body = vec![1; depth];
            body.push(0);
            if let Some(memory) = hostile::memory() {
                rustix::fs::ftruncate(memory, 1 << 22).unwrap();
            }
            answer(&body, &[]);
            end()
        };
        assert!(matches!(context.run_sync(forge, 100).await, Ok(Nest::Deeper(_))));
        // Where a reset says nothing, a call that still goes to that worker is broken.
        while context.run_sync(job::pid, ()).await.is_err() {}
        match context.run_sync(forge, 1_000_000).await {
            Err(Error::Decode(error)) => assert!(error.to_string().contains("too deeply"), "{error}"),
            other => panic!("{:?}", other.as_ref().err()),
        }
        let _ = context.close().await;
    }
}

async fn answers_twice_and_before_it_was_asked(case: Case) {
    for transport in transports() {
        let context = context(case, transport);
        let early = |()| -> u32 {
            if hostile::memory().is_some() {
                answer(&[7], &[]);
                // To the next turn, too, of which it cannot know the time.
                let mut turn = [0; 4];
                rustix::io::pread(hostile::memory().unwrap(), &mut turn, TURN).unwrap();
                scribble(hostile::REPLY, &(u32::from_ne_bytes(turn) + 1).to_ne_bytes());
            } else {
                say(&frame(DONE, &value(&[7])).repeat(2), &[]);
            }
            stay()
        };
        let before = context.run_sync(job::pid, ()).await.unwrap();
        // With shared memory, its second answer may come before the parent has seen its first.
        match context.run_sync(early, ()).time_limit(Duration::from_millis(200)).await {
            Ok(7) => {
                // Wrong bytes, which it could return anyhow. It affects no other call.
                let call = context.run_sync(|text: String| text, "of another type".to_owned());
                let _ = call.time_limit(Duration::from_millis(200)).await;
            }
            Err(Error::TimedOut) => {}
            other => panic!("{other:?}"),
        }
        process::kill(before);
        process::must_end(before);
        while context.run_sync(job::pid, ()).await.is_err() {}
        let _ = context.close().await;
    }
}
