//! Items of a channel arrive once, in order, and whole, in each direction, and wait for each other.

use futures::{SinkExt, StreamExt, join};
use offproc::{Receiver, RecvError, Sender, TrySendError, channel};
use offproc_tests::{Case, isolated, matrix};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

matrix!(
    with and without memory files:
    arrive_in_order_from_a_job,
    arrive_in_order_in_a_job,
    go_there_and_back_by_async_code,
    wait_for_each_other,
    go_from_one_job_to_another,
);

isolated!(
    with and without memory files:
    arrive_within_one_process,
    of_any_size_arrive,
    longer_than_their_type_arrive,
    wait_without_bound_but_the_capacity,
    are_taken_by_several_senders,
    wake_who_waits_while_others_look,
    are_sent_by_a_sink,
);

fn send_all((count, sender): (u64, Sender<u64>)) -> u64 {
    (0..count).take_while(|number| sender.send(*number).wait().is_ok()).count() as u64
}

async fn arrive_in_order_from_a_job(case: Case) {
    let context = case.context();
    for capacity in [0, 1, 3, 1000] {
        let (sender, mut receiver) = channel(capacity);
        let call = context.run_sync(send_all, (500, sender));
        let (sent, received) = join!(call, receiver.by_ref().collect::<Vec<_>>());
        assert_eq!((sent.unwrap(), received), (500, (0..500).collect()));
        assert!(matches!(receiver.end(), Some(RecvError::Closed)));
    }
    context.close().await.unwrap();
}

async fn arrive_in_order_in_a_job(case: Case) {
    let context = case.context();
    for capacity in [0, 1, 3, 1000] {
        let (sender, receiver) = channel(capacity);
        let call = context.run_sync(|numbers: Receiver<u64>| numbers.wait().collect::<Vec<_>>(), receiver);
        let send = async move {
            for number in 0..500 {
                sender.send(number).await.unwrap();
            }
        };
        let (received, ()) = join!(call, send);
        assert_eq!(received.unwrap(), (0..500).collect::<Vec<_>>());
    }
    context.close().await.unwrap();
}

/// In the job, too, under an executor of its own.
async fn go_there_and_back_by_async_code(case: Case) {
    let context = case.context();
    let (to, from_caller) = channel(2);
    let (to_caller, mut from) = channel(2);
    let double = |(mut from, to): (Receiver<u32>, Sender<u32>)| {
        futures::executor::block_on(async move {
            while let Some(number) = from.next().await {
                to.send(2 * number).await.unwrap();
            }
        });
    };
    let call = context.run_sync(double, (from_caller, to_caller));
    let send = async move {
        for number in 0..500 {
            to.send(number).await.unwrap();
        }
    };
    let (ended, (), doubles) = join!(call, send, from.by_ref().collect::<Vec<_>>());
    ended.unwrap();
    assert_eq!(doubles, (0..500).map(|number| 2 * number).collect::<Vec<_>>());
    context.close().await.unwrap();
}

async fn wait_for_each_other(case: Case) {
    let context = case.context();
    // A job fills the channel, and learns that it is full; nothing is received until it has ended.
    let fill = |sender: Sender<String>| {
        let mut sent = 0;
        loop {
            match sender.try_send(format!("item {sent}")) {
                Ok(()) => sent += 1,
                Err(TrySendError::Full(item)) => return (sent, item),
                Err(error) => panic!("{error}"),
            }
        }
    };
    for capacity in [0, 1, 5] {
        let (sender, receiver) = channel(capacity);
        let room = capacity.max(1);
        assert_eq!(context.run_sync(fill, sender).await.unwrap(), (room, format!("item {room}")));
        assert_eq!(receiver.collect::<Vec<_>>().await, (0..room).map(|n| format!("item {n}")).collect::<Vec<_>>());
    }
    context.close().await.unwrap();
}

async fn go_from_one_job_to_another(case: Case) {
    let context = case.builder().max_concurrency(2).open().unwrap();
    let (sender, receiver) = channel(4);
    let sends = context.run_sync(send_all, (1000, sender));
    let sums = context.run_sync(|numbers: Receiver<u64>| numbers.wait().sum::<u64>(), receiver);
    let (sent, sum) = join!(sends, sums);
    assert_eq!((sent.unwrap(), sum.unwrap()), (1000, 499_500));
    context.close().await.unwrap();
}

fn arrive_within_one_process() {
    let (sender, receiver) = channel(3);
    let sends = std::thread::spawn(move || send_all((10_000, sender)));
    assert_eq!(receiver.wait().collect::<Vec<_>>(), (0..10_000).collect::<Vec<_>>());
    assert_eq!(sends.join().unwrap(), 10_000);
}

fn of_any_size_arrive() {
    // Around the sizes of rings and pages, and back to small ones.
    let sizes = [0, 1, 7, 8, 9, 4096, 16_000, 32_000, 65_528, 65_536, 1 << 20, 3, (17 << 20) + 5, 100, 3 << 20];
    let (sender, receiver) = channel(2);
    let sends = std::thread::spawn(move || {
        for _ in 0..2 {
            for (i, size) in sizes.into_iter().enumerate() {
                sender.send(serde_bytes::ByteBuf::from(vec![i as u8; size])).wait().unwrap();
            }
            for _ in 0..200 {
                sender.send(serde_bytes::ByteBuf::from(vec![77; 10])).wait().unwrap();
            }
        }
    });
    let mut received = receiver.wait();
    for _ in 0..2 {
        for (i, size) in sizes.into_iter().enumerate() {
            let item = received.next().unwrap();
            assert!(item.len() == size && item.iter().all(|byte| *byte == i as u8), "item {i}");
        }
        for _ in 0..200 {
            assert_eq!(received.next().unwrap().as_slice(), [77; 10]);
        }
    }
    assert_eq!(received.next(), None);
    sends.join().unwrap();
}

/// One task sends all, and then receives all.
/// It has no size, and takes more bytes than small items have room for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Long;

const WORDS: &str =
    "a text that is much longer than the few bytes that an item of a small type takes as a rule, in a ring";

impl Serialize for Long {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(WORDS)
    }
}

impl<'de> Deserialize<'de> for Long {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == WORDS { Ok(Self) } else { Err(de::Error::custom(text)) }
    }
}

fn longer_than_their_type_arrive() {
    let (sender, mut receiver) = channel(2);
    sender.send(Long).wait().unwrap();
    sender.try_send(Long).unwrap();
    assert!(matches!(sender.try_send(Long), Err(TrySendError::Full(Long))));
    receiver.recv().wait().unwrap();
    futures::executor::block_on(sender.send(Long)).unwrap();
    let _: Long = futures::executor::block_on(receiver.recv()).unwrap();
    receiver.recv().wait().unwrap();
    drop(sender);
    assert!(matches!(receiver.recv().wait(), Err(RecvError::Closed)));
}

fn wait_without_bound_but_the_capacity() {
    let (sender, mut receiver) = channel(100_000);
    for number in 0..100_000_u64 {
        sender.send((number, [number; 4])).wait().unwrap();
    }
    assert!(matches!(sender.try_send((0, [0; 4])), Err(TrySendError::Full((0, _)))));
    for number in 0..100_000 {
        assert_eq!(receiver.recv().wait().unwrap(), (number, [number; 4]));
    }
    let (sender, mut receiver) = channel(3);
    for size in [10 << 20, 20 << 20, 1] {
        sender.try_send(serde_bytes::ByteBuf::from(vec![1; size])).unwrap();
    }
    for size in [10 << 20, 20 << 20, 1] {
        assert_eq!(receiver.recv().wait().unwrap().len(), size);
    }
}

fn are_taken_by_several_senders() {
    let (sender, receiver) = channel(2);
    let received = std::thread::spawn(move || receiver.wait().collect::<Vec<u64>>());
    std::thread::scope(|scope| {
        let sender = &sender;
        for first in 0..4 {
            scope.spawn(move || {
                for number in 0..500 {
                    let send = sender.send(first * 1000 + number);
                    let sent = if number % 2 == 0 { send.wait() } else { futures::executor::block_on(send) };
                    sent.unwrap();
                }
            });
        }
    });
    drop(sender);
    let received = received.join().unwrap();
    assert_eq!(received.len(), 2000);
    for first in 0..4 {
        let own = received.iter().filter(|number| **number / 1000 == first).map(|number| number % 1000);
        assert!(own.eq(0..500), "each sender's are in order");
    }
}

/// What wakes the one that waits is not for the others to read.
fn wake_who_waits_while_others_look() {
    const ITEMS: u32 = 2000;
    let (sender, mut receiver) = channel(1);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| (0..ITEMS).for_each(|number| sender.send(number).wait().unwrap()));
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(!sender.is_closed());
            }
        });
        for number in 0..ITEMS {
            assert_eq!(receiver.recv().wait().unwrap(), number);
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

fn are_sent_by_a_sink() {
    let (mut sender, receiver) = channel(1);
    futures::executor::block_on(async {
        let send = async move {
            let mut items = futures::stream::iter((0..100).map(Ok));
            sender.send_all(&mut items).await.unwrap();
            sender.close().await.unwrap();
            assert!(sender.is_closed());
            assert!(sender.feed(1).await.is_err());
        };
        let ((), received) = join!(send, receiver.collect::<Vec<_>>());
        assert_eq!(received, (0..100).collect::<Vec<_>>());
    });
}
