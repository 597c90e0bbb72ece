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
    /// The item of a number, of so many words, or a short one. False once the receiver is gone.
    fn send(&mut self, number: u64, words: usize) -> bool {
        let item: Vec<u8> = match words {
            0 => vec![number as u8],
            _ => (0..words).flat_map(|_| number.to_le_bytes()).collect(),
        };
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
    /// It takes what is small first, as a receiver of plain types does.
    is_of_small: bool,
}

fn parsed(item: &[u8]) -> (u64, usize) {
    if let [number] = item {
        return (u64::from(*number), 0);
    }
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let words: Vec<_> = item.chunks(8).map(word).collect();
    assert!(words.iter().all(|word| *word == words[0]));
    (words[0], words.len())
}

impl Receiver {
    /// The next item's number, and how many words it has.
    fn receive(&mut self) -> Option<(u64, usize)> {
        if self.is_of_small {
            let mut small = [0; 16];
            if let Some(length) = self.ring.take_small(&mut small, &self.bell) {
                return Some(parsed(&small[..length]));
            }
        }
        let mut item = Vec::new();
        loop {
            let taken = match self.ring.take(&mut item, &self.bell) {
                Taken::Empty if self.is_over => return None,
                Taken::Empty => self.ring.take_asleep(&mut item, &self.bell),
                taken => taken,
            };
            match taken {
                Taken::Item => return Some(parsed(&item)),
                Taken::End => return None,
                Taken::Empty => self.is_over = !self.bell.wait(),
                Taken::Lost(_) | Taken::Unmapped(_) | Taken::TooLong(_) | Taken::Violation => panic!("{taken:?}"),
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

fn channel(capacity: u64, is_of_small: bool) -> (Sender, Receiver) {
    let [a, b] = RingMemory::create();
    let (bell, other) = SocketBell::pair();
    let sender = Sender { ring: RingSender::new(a, capacity).unwrap(), bell };
    let receiver = RingReceiver::new(b, capacity).unwrap();
    (sender, Receiver { ring: receiver, bell: other, is_over: false, is_of_small })
}

/// Items of these sizes, and the end.
fn items(capacity: u64, sizes: &'static [usize], is_of_small: bool) {
    let (mut sender, mut receiver) = channel(capacity, is_of_small);
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
    explore("one item", 3, || items(1, &[1], false));
    explore("three items, one at a time", 2, || items(1, &[1, 1, 1], false));
    explore("three items, two at a time", 2, || items(2, &[1, 1, 1], false));
}

/// Without a buffer, as small items go, and in the word alone, as short ones do.
#[test]
fn small_items_arrive_in_order() {
    explore("one short item", 3, || items(1, &[0], true));
    explore("short and small items, one at a time", 2, || items(1, &[0, 1, 0], true));
    explore("short and small items, two at a time", 2, || items(2, &[1, 0, 0], true));
    explore("small items around a ring", 2, || items(1, &[2, 2, 0, 2], true));
    explore("small items and large ones", 1, || items(3, &[0, 3, 9, 1], true));
}

/// Around the end of a ring, and to larger ones and back.
#[test]
fn rings_follow_each_other() {
    explore("around a ring", 2, || items(1, &[2, 2, 2], false));
    explore("to a larger ring", 2, || items(2, &[3, 3], false));
    explore("to the largest ring", 1, || items(3, &[3, 3, 9, 1], false));
}

/// A receiver that is dropped: a sender that waits for room learns of it.
#[test]
fn a_sender_learns_that_its_receiver_is_gone() {
    explore("receiver dropped", 2, || {
        let (mut sender, mut receiver) = channel(1, false);
        let receives = thread::spawn(move || receiver.receive());
        let sent = (0..4).take_while(|number| sender.send(*number, 1)).count();
        // One was received and one may wait; of the first, the sender may learn the end before anything else.
        assert!(sent <= 2, "{sent}");
        assert_eq!(receives.join().unwrap(), Some((0, 1)));
    });
}
