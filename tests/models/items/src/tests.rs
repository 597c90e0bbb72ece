//! What is promised.

use crate::items::bell::SocketBell;
use crate::items::receive::{RingReceiver, Taken};
use crate::items::send::{Offered, RingSender};
use crate::sync::{Fences, set_fences};
use crate::sys::ring_memory::RingMemory;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Explores with at most so many preemptions (or `LOOM_MAX_PREEMPTIONS`).
fn explore(name: &str, preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    for fences in [Fences::BeforeLoads, Fences::BehindStores] {
        let (body, count) = (Arc::clone(&body), Arc::new(AtomicU64::new(0)));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
        let (start, counted) = (Instant::now(), Arc::clone(&count));
        builder.check(move || {
            set_fences(fences);
            counted.fetch_add(1, Ordering::Relaxed);
            body();
        });
        let (count, bound) = (count.load(Ordering::Relaxed), builder.preemption_bound);
        println!("{name}, fences {fences:?}, preemptions {bound:?}: {count} executions in {:.1?}", start.elapsed());
    }
}

/// `items/sender.rs` without what is not of the words.
struct Sender {
    ring: RingSender,
    bell: SocketBell,
}

impl Sender {
    /// The item of a number, of so many words. False once the receiver is gone.
    fn send(&mut self, number: u64, words: usize) -> bool {
        let item: Vec<u8> = (0..words).flat_map(|_| number.to_le_bytes()).collect();
        loop {
            let offered = match self.ring.offer(&item, &self.bell) {
                Offered::Full => self.ring.offer_asleep(&item, &self.bell),
                offered => offered,
            };
            match offered {
                Offered::Sent => return true,
                Offered::Closed => return false,
                Offered::Refused(e) => panic!("{e}"),
                Offered::Full => {
                    if !self.bell.wait() {
                        return false;
                    }
                }
            }
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.ring.memory().words().end_sender();
        self.bell.shut_down();
    }
}

/// `items/receiver.rs` without what is not of the words.
struct Receiver {
    ring: RingReceiver,
    bell: SocketBell,
    is_over: bool,
}

impl Receiver {
    /// The next item's number, and how many words it has.
    fn receive(&mut self) -> Option<(u64, usize)> {
        let mut item = Vec::new();
        loop {
            let taken = match self.ring.take(&mut item, &self.bell) {
                Taken::Empty if self.is_over => return None,
                Taken::Empty => self.ring.take_asleep(&mut item, &self.bell),
                taken => taken,
            };
            match taken {
                Taken::Item => {
                    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
                    let words: Vec<_> = item.chunks(8).map(word).collect();
                    assert!(words.iter().all(|word| *word == words[0]));
                    return Some((words[0], words.len()));
                }
                Taken::End => return None,
                Taken::Empty => self.is_over = !self.bell.wait(),
                Taken::Lost(_) | Taken::TooLong(_) | Taken::Violation => panic!("{taken:?}"),
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ring.memory().words().end_receiver();
        self.bell.shut_down();
    }
}

fn channel(capacity: u64) -> (Sender, Receiver) {
    let [a, b] = RingMemory::create();
    let (bell, other) = SocketBell::pair();
    let sender = Sender { ring: RingSender::new(a, capacity).unwrap(), bell };
    let receiver = RingReceiver::new(b, capacity).unwrap();
    (sender, Receiver { ring: receiver, bell: other, is_over: false })
}

/// Items of these sizes, and the end.
fn items(capacity: u64, sizes: &'static [usize]) {
    let (mut sender, mut receiver) = channel(capacity);
    let sends = thread::spawn(move || {
        for (number, words) in sizes.iter().enumerate() {
            assert!(sender.send(number as u64, *words));
        }
    });
    for (number, words) in sizes.iter().enumerate() {
        assert_eq!(receiver.receive(), Some((number as u64, *words)));
    }
    assert_eq!(receiver.receive(), None);
    sends.join().unwrap();
}

/// The sender waits for room, the receiver for items.
#[test]
fn items_arrive_in_order() {
    explore("one item", 3, || items(1, &[1]));
    explore("three items, one at a time", 2, || items(1, &[1, 1, 1]));
    explore("three items, two at a time", 2, || items(2, &[1, 1, 1]));
}

/// Around the end of a ring, and to larger ones and back.
#[test]
fn rings_follow_each_other() {
    explore("around a ring", 2, || items(1, &[2, 2, 2]));
    explore("to a larger ring", 2, || items(2, &[3, 3]));
    explore("to the largest ring", 1, || items(3, &[3, 3, 9, 1]));
}

/// A receiver that is dropped: a sender that waits for room learns of it.
#[test]
fn a_sender_learns_that_its_receiver_is_gone() {
    explore("receiver dropped", 2, || {
        let (mut sender, mut receiver) = channel(1);
        let receives = thread::spawn(move || receiver.receive());
        let sent = (0..4).take_while(|number| sender.send(*number, 1)).count();
        // One was received and one may wait; of the first, the sender may learn the end before anything else.
        assert!(sent <= 2, "{sent}");
        assert_eq!(receives.join().unwrap(), Some((0, 1)));
    });
}
