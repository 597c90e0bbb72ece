//! Channels through deaths, forks, large items and limits: the other end ends or goes on, and nothing hangs or is lost.

use futures::executor::block_on;
use offproc::{
    Error, Receiver, RecvError, Resource, SendError, Sender, TrySendError, WorkerContext, WorkerType, channel,
};
use offproc_tests::process;
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, isolate, isolated, job, matrix, refusal};
use rustix::process::{Rlimit, getrlimit, setrlimit};
use serde_bytes::ByteBuf;

matrix!(with and without memory files: items_of_64_mib_arrive, an_end_that_goes_on_to_another_context_works);

isolated!(
    with and without memory files:
    a_killed_sender_ends_its_channel,
    a_killed_receiver_ends_its_channel,
    a_fork_of_the_program_keeps_no_end,
    an_item_above_the_limit_is_refused_by_its_sender,
    an_item_above_the_limit_of_its_receiver_is_an_error,
    within_one_process_there_is_no_limit,
    few_descriptors_are_an_error_of_the_call,
    an_item_without_memory_for_it_is_an_error_that_passes,
    without_threads_all_arrives,
    what_waits_does_not_hold_up_a_kill_or_a_limit,
);

async fn items_of_64_mib_arrive(case: Case) {
    const SIZE: usize = 64 << 20;
    let context = case.context();
    let there_and_back = |(from, to): (Receiver<ByteBuf>, Sender<ByteBuf>)| {
        for mut bytes in from.wait() {
            bytes[SIZE / 2] += 1;
            to.send(bytes).wait().unwrap();
        }
    };
    let ((to, from_caller), (to_caller, mut from)) = (channel(1), channel(1));
    let call = context.run_sync(there_and_back, (from_caller, to_caller));
    let talk = async move {
        for number in 1..=2 {
            to.send(ByteBuf::from(vec![number; SIZE])).await.unwrap();
            let back = from.recv().await.unwrap();
            assert!(back.len() == SIZE && back[SIZE / 2] == number + 1 && back[SIZE - 1] == number);
        }
    };
    let (ended, ()) = futures::join!(call, talk);
    ended.unwrap();
    context.close().await.unwrap();
}

/// From a worker of one context to one of another, by way of the caller, with items in it.
async fn an_end_that_goes_on_to_another_context_works(case: Case) {
    let (one, other) = (case.context(), case.context());
    let fill = |()| {
        let (sender, receiver) = channel(30);
        (0..20).for_each(|n: u8| sender.send(ByteBuf::from(vec![n; 50_000])).wait().unwrap());
        (sender, receiver)
    };
    let (sender, receiver) = one.run_sync(fill, ()).await.unwrap();
    let take = |mut receiver: Receiver<ByteBuf>| {
        let taken = (0..5).map(|_| receiver.recv().wait().unwrap()[49_999]).collect::<Vec<_>>();
        (taken, receiver)
    };
    let (taken, receiver) = other.run_sync(take, receiver).await.unwrap();
    assert_eq!(taken, [0, 1, 2, 3, 4]);
    let add = |sender: Sender<ByteBuf>| sender.send(ByteBuf::from(vec![20; 50_000])).wait().unwrap();
    let add = other.run_sync(add, sender);
    add.await.unwrap();
    let rest = |receiver: Receiver<ByteBuf>| receiver.wait().map(|item| item[0]).collect::<Vec<_>>();
    assert_eq!(one.run_sync(rest, receiver).await.unwrap(), (5..=20).collect::<Vec<_>>());
    one.close().await.unwrap();
    other.close().await.unwrap();
}

/// Rounds in which a worker is killed.
const KILLS: u32 = 100;

fn fast_starts() -> WorkerContext {
    WorkerContext::builder().worker_type(WorkerType::ForkServer).max_concurrency(1).open().unwrap()
}

/// Small ones, and each tenth one too large for a socket.
fn item(number: u32) -> (u32, ByteBuf) {
    (number, ByteBuf::from(vec![number as u8; if number % 10 == 9 { 300_000 } else { 10 }]))
}

/// Kills a process after so many rounds of nothing.
fn kill_after(pid: u32, rounds: u32) {
    (0..rounds).for_each(|_| std::hint::spin_loop());
    process::kill(pid);
}

fn a_killed_sender_ends_its_channel() {
    let context = fast_starts();
    let sends = |(pid, sender): (Sender<u32>, Sender<(u32, ByteBuf)>)| -> () {
        pid.send(std::process::id()).wait().unwrap();
        for number in 0.. {
            sender.send(item(number)).wait().unwrap();
        }
        unreachable!("it is killed")
    };
    for round in 0..KILLS {
        let ((pid_sender, mut pid), (sender, mut receiver)) = (channel(1), channel(1 + round as usize % 5));
        let mut call = Box::pin(context.run_sync(sends, (pid_sender, sender)).into_future());
        let pid = block_on(drive_until(&mut call, pid.recv())).unwrap();
        let killer = std::thread::spawn(move || kill_after(pid, fastrand::u32(..200_000)));
        let mut received = 0;
        let end = loop {
            match receiver.recv().wait() {
                Ok(one) => assert!(one == item(received), "round {round}, item {received}"),
                Err(end) => break end,
            }
            received += 1;
        };
        assert!(matches!(end, RecvError::Closed), "round {round}, after {received}: {end}");
        killer.join().unwrap();
        assert!(block_on(call).unwrap_err().is_crash());
    }
    let _ = context.close().wait();
}

fn a_killed_receiver_ends_its_channel() {
    let context = fast_starts();
    let receives = |(pid, receiver): (Sender<u32>, Receiver<(u32, ByteBuf)>)| {
        pid.send(std::process::id()).wait().unwrap();
        receiver.wait().zip(0..).filter(|(one, number)| *one != item(*number)).count()
    };
    for round in 0..KILLS {
        let ((pid_sender, mut pid), (sender, receiver)) = (channel(1), channel(1 + round as usize % 5));
        let mut call = Box::pin(context.run_sync(receives, (pid_sender, receiver)).into_future());
        let pid = block_on(drive_until(&mut call, pid.recv())).unwrap();
        let killer = std::thread::spawn(move || kill_after(pid, fastrand::u32(..200_000)));
        let end = (0..).find_map(|number| sender.send(item(number)).wait().err()).unwrap();
        assert!(matches!(end, SendError::Closed), "round {round}: {end}");
        killer.join().unwrap();
        drop(sender);
        assert!(block_on(call).unwrap_err().is_crash());
    }
    let _ = context.close().wait();
}

/// Forks this process; the child does nothing, and has all that it was left, until it is killed.
fn idle_fork() -> u32 {
    // SAFETY: the child calls nothing but `pause`.
    match unsafe { libc::fork() } {
        0 => loop {
            // SAFETY: no preconditions.
            unsafe { libc::pause() };
        },
        child => u32::try_from(child).expect("there is room for one more process"),
    }
}

fn end_fork(child: u32) {
    process::kill(child);
    let child = rustix::process::Pid::from_raw(child.cast_signed());
    rustix::process::waitpid(child, rustix::process::WaitOptions::empty()).unwrap();
}

fn a_fork_of_the_program_keeps_no_end() {
    let context = fast_starts();
    // Sent on, it would keep both ends.
    let ((sender, receiver), (to_caller, mut from)) = (channel::<u8>(3), channel(3));
    let forward = |(receiver, sender): (Receiver<u8>, Sender<u8>)| {
        receiver.wait().for_each(|number| sender.send(number).wait().unwrap());
    };
    let mut call = Box::pin(context.run_sync(forward, (receiver, to_caller)).into_future());
    sender.send(1).wait().unwrap();
    assert_eq!(block_on(drive_until(&mut call, from.recv())).unwrap(), 1);
    let child = idle_fork();
    drop(sender);
    assert!(matches!(block_on(from.recv()), Err(RecvError::Closed)));
    block_on(call).unwrap();
    end_fork(child);
    // What the child has of a worker's channel does not hide the worker's death.
    let (sender, mut receiver) = channel::<u32>(3);
    let sends = |sender: Sender<u32>| -> () {
        sender.send(std::process::id()).wait().unwrap();
        job::sleep()
    };
    let mut call = Box::pin(context.run_sync(sends, sender).into_future());
    let pid = block_on(drive_until(&mut call, receiver.recv())).unwrap();
    let child = idle_fork();
    process::kill(pid);
    assert!(matches!(receiver.recv().wait(), Err(RecvError::Closed)));
    assert!(block_on(call).unwrap_err().is_crash());
    end_fork(child);
    let _ = context.close().wait();
}

fn an_item_above_the_limit_is_refused_by_its_sender() {
    const LIMIT: usize = 1 << 20;
    let context = WorkerContext::builder().max_message_size(LIMIT).open().unwrap();
    // The job's.
    let (sender, receiver) = channel(4);
    let sends = |sender: Sender<ByteBuf>| {
        let refused = sender.send(ByteBuf::from(vec![1; LIMIT])).wait().unwrap_err();
        sender.send(ByteBuf::from(vec![2; LIMIT - 10])).wait().unwrap();
        refused.to_string()
    };
    let refused = context.run_sync(sends, sender).wait().unwrap();
    assert!(refused.contains("max_message_size") && refused.contains(&LIMIT.to_string()), "{refused}");
    assert!(receiver.wait().eq([ByteBuf::from(vec![2; LIMIT - 10])]));
    // The caller's.
    let (sender, receiver) = channel(4);
    let (begun, mut has_begun) = channel(1);
    let counts = |(begun, receiver): (Sender<()>, Receiver<ByteBuf>)| {
        begun.send(()).wait().unwrap();
        receiver.wait().map(|item| item.len()).collect::<Vec<_>>()
    };
    let mut call = Box::pin(context.run_sync(counts, (begun, receiver)).into_future());
    block_on(drive_until(&mut call, has_begun.recv())).unwrap();
    match sender.try_send(ByteBuf::from(vec![1; LIMIT])) {
        Err(TrySendError::Encode(error)) => assert!(error.to_string().contains("max_message_size"), "{error}"),
        other => panic!("{other:?}"),
    }
    sender.send(ByteBuf::from(vec![1; 10])).wait().unwrap();
    drop(sender);
    assert_eq!(block_on(call).unwrap(), [10]);
    context.close().wait().unwrap();
}

/// The sender's context allows more.
fn an_item_above_the_limit_of_its_receiver_is_an_error() {
    const LIMIT: usize = 1 << 20;
    let wide = WorkerContext::builder().open().unwrap();
    let narrow = WorkerContext::builder().max_message_size(LIMIT).open().unwrap();
    let (sender, receiver) = channel(4);
    let sends = |sender: Sender<ByteBuf>| {
        for length in [LIMIT - 20, 2 * LIMIT, 10] {
            sender.send(ByteBuf::from(vec![1; length])).wait().unwrap();
        }
    };
    let receives = |mut receiver: Receiver<ByteBuf>| {
        let first = receiver.recv().wait().unwrap().len();
        let error = receiver.recv().wait().unwrap_err();
        assert!(matches!(error, RecvError::Decode(_)));
        (first, error.to_string(), receiver.recv().wait().map(|item| item.len()).ok())
    };
    wide.run_sync(sends, sender).wait().unwrap();
    let (first, error, next) = narrow.run_sync(receives, receiver).wait().unwrap();
    assert_eq!(first, LIMIT - 20);
    assert!(error.contains("longer than the `max_message_size`"), "{error}");
    // Over a socket, it would have to read what it does not want.
    assert_eq!(next, if isolate::has_no_memory_files() { None } else { Some(10) });
    wide.close().wait().unwrap();
    narrow.close().wait().unwrap();
}

fn within_one_process_there_is_no_limit() {
    let context = WorkerContext::builder().max_message_size(1 << 20).open().unwrap();
    context.run_sync(job::pid, ()).wait().unwrap();
    let (sender, mut receiver) = channel(1);
    sender.send(ByteBuf::from(vec![1; 5 << 20])).wait().unwrap();
    assert_eq!(receiver.recv().wait().unwrap().len(), 5 << 20);
    context.close().wait().unwrap();
}

fn few_descriptors_are_an_error_of_the_call() {
    let send = |sender: Sender<u8>| sender.send(1).wait().is_ok();
    let mut outcomes = [false; 2];
    for most in [0, 4, 5, 6, 8, 20] {
        let context = WorkerContext::builder().resource_limit(Resource::OpenFiles, most).open().unwrap();
        let (sender, mut receiver) = channel(1);
        match context.run_sync(send, sender).wait() {
            Ok(is_sent) => {
                assert!(is_sent && matches!(receiver.recv().wait(), Ok(1)), "{most}");
                outcomes[0] = true;
            }
            Err(Error::Decode(error)) => {
                assert!(error.to_string().contains("ulimit"), "{most}: {error}");
                assert!(matches!(receiver.recv().wait(), Err(RecvError::Closed)), "{most}: the end went with the call");
                outcomes[1] = true;
            }
            Err(other) => panic!("{most}: {other}"),
        }
        context.close().wait().unwrap();
    }
    assert_eq!(outcomes, [true; 2], "with 20 it works, and without any it does not");
}

fn an_item_without_memory_for_it_is_an_error_that_passes() {
    const SIZE: usize = 64 << 20;
    let context = WorkerContext::builder().max_concurrency(1).open().unwrap();
    let (sender, receiver) = channel(3);
    sender.try_send(ByteBuf::from(vec![1; 10])).unwrap();
    sender.try_send(ByteBuf::from(vec![2; SIZE])).unwrap();
    let receives = |mut receiver: Receiver<ByteBuf>| {
        assert_eq!(receiver.recv().wait().unwrap().len(), 10);
        let limit = getrlimit(rustix::process::Resource::As);
        setrlimit(rustix::process::Resource::As, Rlimit { current: Some(32 << 20), ..limit }).unwrap();
        let refused = receiver.recv().wait().unwrap_err().to_string();
        setrlimit(rustix::process::Resource::As, limit).unwrap();
        (refused, receiver.recv().wait().map(|item| item.len()).ok())
    };
    let (refused, again) = context.run_sync(receives, receiver).wait().unwrap();
    assert!(refused.contains("no memory"), "{refused}");
    // What was read of a socket is lost.
    assert_eq!(again, if isolate::has_no_memory_files() { None } else { Some(SIZE) });
    context.close().wait().unwrap();
}

/// As in a sandbox: what a socket has no room for is written without one.
fn without_threads_all_arrives() {
    let no_threads = || {
        refusal::refuse(libc::SYS_clone3, libc::ENOSYS);
        refusal::refuse(libc::SYS_clone, libc::EAGAIN);
    };
    let context = WorkerContext::builder().sandbox(no_threads).open().unwrap();
    let (sender, receiver) = channel::<ByteBuf>(20);
    let sends = |sender: Sender<ByteBuf>| {
        assert!(std::thread::Builder::new().spawn(|| ()).is_err());
        for number in 0..20 {
            sender.send(ByteBuf::from(vec![number; 1 << 20])).wait().unwrap();
        }
    };
    let received = std::thread::spawn(move || receiver.wait().map(|item| (item.len(), item[0])).collect::<Vec<_>>());
    context.run_sync(sends, sender).wait().unwrap();
    assert_eq!(received.join().unwrap(), (0..20).map(|number| (1 << 20, number)).collect::<Vec<_>>());
    context.close().wait().unwrap();
}

fn what_waits_does_not_hold_up_a_kill_or_a_limit() {
    let fill = |sender: Sender<ByteBuf>| -> () {
        loop {
            if sender.send(ByteBuf::from(vec![1; 1 << 20])).wait().is_err() {
                return;
            }
        }
    };
    let context = WorkerContext::builder().kill_on_cancel(true).open().unwrap();
    let begin = std::time::Instant::now();
    let (sender, receiver) = channel(3);
    let call = context.run_sync(fill, sender).time_limit(std::time::Duration::from_millis(100));
    assert!(matches!(call.wait(), Err(Error::TimedOut)));
    drop(receiver);
    let (sender, mut receiver) = channel(3);
    let mut call = Box::pin(context.run_sync(fill, sender).into_future());
    assert_eq!(block_on(drive_until(&mut call, receiver.recv())).unwrap().len(), 1 << 20);
    drop(call);
    while receiver.recv().wait().is_ok() {}
    // A worker that ends with something to write is ended by `close_within`.
    let keeps = |sender: Sender<ByteBuf>| {
        (0..3).for_each(|_| sender.send(ByteBuf::from(vec![1; 1 << 20])).wait().unwrap());
        std::mem::forget(sender);
    };
    let (sender, receiver) = channel(3);
    context.run_sync(keeps, sender).wait().unwrap();
    let _ = context.close_within(std::time::Duration::from_millis(200)).wait();
    assert!(begin.elapsed() < std::time::Duration::from_secs(60));
    drop(receiver);
}
