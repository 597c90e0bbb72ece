//! A channel ends with either of its ends, and nothing of it holds up a call or a context.

use futures::{StreamExt, join};
use offproc::{Error, Receiver, RecvError, SendError, Sender, TrySendError, WorkerContext, channel};
use offproc_tests::rendezvous::{Arrivals, arrive};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, isolate, isolated, job, matrix};
use std::sync::OnceLock;
use std::time::Duration;

matrix!(
    with and without memory files:
    a_dropped_receiver_stops_a_job,
    a_job_that_dies_ends_its_channels,
    a_job_that_dies_unpolled_ends_its_channels,
    a_killed_job_ends_its_channels,
    an_end_that_a_job_keeps_lives_on,
    ends_come_back,
);

isolated!(
    with and without memory files:
    a_dropped_sender_ends_the_items,
    a_dropped_receiver_ends_sending,
    a_dropped_future_has_done_nothing,
    the_system_decides_what_items_go_through,
    what_waits_in_a_dropped_sender_arrives,
);

async fn a_dropped_receiver_stops_a_job(case: Case) {
    let context = case.context();
    let endless = |sender: Sender<u64>| {
        let refused = (0..).find_map(|number| sender.send(number).wait().err());
        (matches!(refused, Some(SendError::Closed)), sender.is_closed())
    };
    // While it sends, and while it waits for room.
    for taken in [3, 0] {
        let (sender, mut receiver) = channel(2);
        let call = context.run_sync(endless, sender);
        let take = async move {
            for number in 0..taken {
                assert_eq!(receiver.recv().await.unwrap(), number);
            }
        };
        let (ended, ()) = join!(call, take);
        assert_eq!(ended.unwrap(), (true, true));
    }
    context.close().await.unwrap();
}

async fn a_job_that_dies_ends_its_channels(case: Case) {
    let context = case.context();
    let sends_and_dies = |(sender, _receiver): (Sender<u64>, Receiver<u64>)| -> () {
        sender.send(1).wait().unwrap();
        sender.send(2).wait().unwrap();
        job::end_at_once(3)
    };
    let ((to_caller, mut from), (to, from_caller)) = (channel(4), channel(4));
    let call = context.run_sync(sends_and_dies, (to_caller, from_caller));
    let (ended, received) = join!(call, from.by_ref().collect::<Vec<_>>());
    assert!(ended.unwrap_err().is_crash());
    assert_eq!(received, [1, 2]);
    let refused = loop {
        if let Err(refused) = to.send(1).await {
            break refused;
        }
    };
    assert!(matches!(refused, SendError::Closed));
    let _ = context.close().await;
}

/// No task polls the call any more when its worker dies.
async fn a_job_that_dies_unpolled_ends_its_channels(case: Case) {
    let context = case.context();
    let ((to_caller, mut from), (to, from_caller)) = (channel::<u64>(4), channel(4));
    let sends_and_dies = |(to_caller, mut from_caller): (Sender<u64>, Receiver<()>)| -> () {
        to_caller.send(1).wait().unwrap();
        from_caller.recv().wait().unwrap();
        job::end_at_once(3)
    };
    let mut call = context.run_sync(sends_and_dies, (to_caller, from_caller));
    assert_eq!(drive_until(&mut call, from.recv()).await.unwrap(), 1);
    to.send(()).await.unwrap();
    assert!(matches!(from.recv().await, Err(RecvError::Closed)));
    assert!(call.await.unwrap_err().is_crash());
    let _ = context.close().await;
}

async fn a_killed_job_ends_its_channels(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let waits_for_ever = |(ticket, receiver): (String, Receiver<u64>)| {
        arrive(&ticket);
        receiver.wait().count()
    };
    // Past a limit, by a drop, and by the end of the context.
    let (sender, receiver) = channel(1);
    let call = context.run_sync(waits_for_ever, (arrivals.ticket(), receiver)).time_limit(Duration::from_millis(50));
    assert!(matches!(call.await, Err(Error::TimedOut)));
    until("the killed job's end is gone", || sender.is_closed()).await;

    let (sender, receiver) = channel::<u64>(1);
    let mut call = context.run_sync(waits_for_ever, (arrivals.ticket(), receiver)).kill_on_cancel(true);
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    until("the killed job's end is gone", || sender.is_closed()).await;

    let (sender, receiver) = channel::<u64>(1);
    let mut call = context.run_sync(waits_for_ever, (arrivals.ticket(), receiver));
    drive_until(&mut call, arrivals.next()).await;
    context.kill();
    assert!(matches!(call.await, Err(Error::Closed)));
    until("the killed job's end is gone", || sender.is_closed()).await;
    let _ = context.close().await;
}

static KEPT: OnceLock<Sender<u64>> = OnceLock::new();

async fn an_end_that_a_job_keeps_lives_on(case: Case) {
    let context = case.builder().max_concurrency(1).open().unwrap();
    let (sender, mut receiver) = channel(4);
    context.run_sync(|sender| KEPT.set(sender).unwrap(), sender).await.unwrap();
    context.run_sync(|number| KEPT.get().unwrap().send(number).wait().unwrap(), 7).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap(), 7);
    context.close().await.unwrap();
    assert!(matches!(receiver.recv().await, Err(RecvError::Closed)));
}

async fn ends_come_back(case: Case) {
    let context = case.context();
    let (sender, receiver) = channel(3);
    sender.send(1).await.unwrap();
    // There and back, with what waits in it; each end is sent once in a message.
    let there_and_back = |mut ends: Vec<(Sender<u64>, Receiver<u64>)>| {
        ends[0].0.send(2).wait().unwrap();
        assert_eq!(ends[0].1.recv().wait().unwrap(), 1);
        ends
    };
    let mut ends = context.run_sync(there_and_back, vec![(sender, receiver)]).await.unwrap();
    let (sender, mut receiver) = ends.pop().unwrap();
    sender.send(3).await.unwrap();
    drop(sender);
    assert_eq!(receiver.recv().await.unwrap(), 2);
    assert_eq!(receiver.recv().await.unwrap(), 3);
    assert!(matches!(receiver.recv().await, Err(RecvError::Closed)));
    // A channel that a job has made.
    let (from_job, sum) = context.run_sync(|()| channel::<u64>(2), ()).await.unwrap();
    let call = context.run_sync(|numbers: Receiver<u64>| numbers.wait().sum::<u64>(), sum);
    let send = async move {
        for number in 1..=10 {
            from_job.send(number).await.unwrap();
        }
    };
    assert_eq!(join!(call, send).0.unwrap(), 55);
    context.close().await.unwrap();
}

fn a_dropped_sender_ends_the_items() {
    let (sender, mut receiver) = channel(4);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    drop(sender);
    assert_eq!((receiver.recv().wait().unwrap(), receiver.recv().wait().unwrap()), (1, 2));
    assert!(matches!(receiver.recv().wait(), Err(RecvError::Closed)));
    assert!(matches!(receiver.recv().wait(), Err(RecvError::Closed)), "again and again");
    let mut iterator = receiver.wait();
    assert_eq!((iterator.next(), iterator.next()), (None, None));
    assert!(matches!(iterator.end(), Some(RecvError::Closed)));
    // While it waits.
    let (sender, mut receiver) = channel::<u8>(1);
    let waits = std::thread::spawn(move || receiver.recv().wait());
    std::thread::spawn(move || drop(sender));
    assert!(matches!(waits.join().unwrap(), Err(RecvError::Closed)));
}

fn a_dropped_receiver_ends_sending() {
    let (sender, receiver) = channel(1);
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert!(matches!(sender.send("a".to_owned()).wait(), Err(SendError::Closed)));
    match sender.try_send("b".to_owned()) {
        Err(TrySendError::Closed(item)) => assert_eq!(item, "b"),
        other => panic!("{other:?}"),
    }
    // While it waits.
    let (sender, receiver) = channel(1);
    sender.try_send(1).unwrap();
    let waits = std::thread::spawn(move || sender.send(2).wait());
    std::thread::spawn(move || drop(receiver));
    assert!(matches!(waits.join().unwrap(), Err(SendError::Closed)));
}

fn a_dropped_future_has_done_nothing() {
    futures::executor::block_on(async {
        let (sender, mut receiver) = channel(1);
        drop(sender.send(0));
        assert!(futures::poll!(receiver.recv()).is_pending(), "it was never polled");
        sender.send(1).await.unwrap();
        let (mut first, mut second) = (sender.send(2), sender.send(3));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        // The second one has the turn now.
        drop(first);
        assert_eq!(receiver.recv().await.unwrap(), 1);
        second.await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), 3);
        // A dropped `recv` takes nothing along.
        assert!(futures::poll!(receiver.recv()).is_pending());
        sender.send(4).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), 4);
        // What was polled goes on by `wait`.
        sender.send(5).await.unwrap();
        let mut waits = sender.send(6);
        assert!(futures::poll!(&mut waits).is_pending());
        std::thread::scope(|scope| {
            scope.spawn(|| waits.wait().unwrap());
            assert_eq!((receiver.recv().wait().unwrap(), receiver.recv().wait().unwrap()), (5, 6));
        });
    });
}

fn the_system_decides_what_items_go_through() {
    let (_sender, _receiver) = channel::<u8>(1);
    let files =
        std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let memory = files.filter(|file| file.to_string_lossy().contains("memfd:offproc-items")).count();
    assert_eq!(memory, if isolate::has_no_memory_files() { 0 } else { 2 });
}

/// More than a socket has room for: of a sender that is dropped, and of one whose worker has retired.
fn what_waits_in_a_dropped_sender_arrives() {
    let items = || (0..5_u8).map(|number| serde_bytes::ByteBuf::from(vec![number; 1 << 20]));
    let (sender, receiver) = channel(5);
    items().for_each(|item| sender.try_send(item).unwrap());
    drop(sender);
    assert!(receiver.wait().eq(items()));

    let context = WorkerContext::builder().retire_after_jobs(1..=1).open().unwrap();
    let (sender, receiver) = channel(5);
    let fill = |sender: Sender<serde_bytes::ByteBuf>| {
        (0..5_u8).for_each(|n| sender.send(serde_bytes::ByteBuf::from(vec![n; 1 << 20])).wait().unwrap());
        std::mem::forget(sender);
    };
    context.run_sync(fill, sender).wait().unwrap();
    assert!(receiver.wait().eq(items()));
    context.close().wait().unwrap();
}
