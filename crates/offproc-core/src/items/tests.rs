//! A hostile end, which may write anything to the memory at any time.

use super::bell::SocketBell;
use super::receive::{RingReceiver, Taken};
use super::send::{Offered, RingSender};
use crate::sys::pairs::pair_of_ends;
use crate::sys::ring_memory::{FIRST, RingMemory};
use crate::wire::items::entry::Entry;
use crate::wire::items::words::{Position, Words};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Near what an end would write, or anything.
    fn number(&mut self, near: u64) -> u64 {
        match self.below(4) {
            0 => self.next(),
            1 => near.wrapping_add(self.below(1 << 18)) / 8 * 8,
            2 => near.wrapping_sub(self.below(64)),
            _ => near.wrapping_add(8 * self.below(16)),
        }
    }

    fn position(&mut self, near: u64) -> Position {
        if self.below(2) == 0 {
            return Position { bytes: near, items: near, ring: FIRST };
        }
        Position { bytes: self.number(near), items: self.number(near), ring: self.number(u64::from(FIRST)) as u32 }
    }

    fn entry(&mut self) -> u64 {
        match self.below(6) {
            0 => self.next(),
            1 => Entry::Rewind.to_word(),
            2 => Entry::Move(FIRST + self.below(5) as u32).to_word(),
            3 => Entry::Move(self.next() as u32).to_word(),
            4 => Entry::Item(self.below(1 << 17)).to_word(),
            _ => Entry::Item(self.below(64)).to_word(),
        }
    }
}

fn bell() -> (SocketBell, SocketBell) {
    let (a, b) = pair_of_ends().unwrap();
    (SocketBell::new(a), SocketBell::new(b))
}

fn end(words: &Words, random: &mut Random) {
    match random.below(16) {
        0 => words.end_sender(),
        1 => words.end_receiver(),
        2 => words.sender_sleeps(),
        _ => words.receiver_sleeps(),
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn a_receiver_survives_a_sender_that_writes_anything() {
    let ((ours, theirs), mut random) = (bell(), Random(0x5EED));
    let mut seen = [0; 3];
    for _ in 0..400 {
        let [a, b] = RingMemory::create().unwrap();
        let mut receiver = RingReceiver::new(b, 1).unwrap();
        let mut bytes = Vec::new();
        let mut near = 0;
        for _ in 0..40 {
            for _ in 0..random.below(16) {
                let number = FIRST + random.below(3) as u32;
                let ring = a.ring(number).unwrap();
                let offset = if random.below(2) == 0 { ring.offset(near) / 8 * 8 } else { 8 * random.below(1 << 13) };
                ring.store(offset, random.entry());
            }
            let _ = a.words().publish_sent(random.position(near), &theirs);
            end(a.words(), &mut random);
            match receiver.take_asleep(&mut bytes, &ours) {
                Taken::Item => seen[0] += 1,
                Taken::Violation => seen[1] += 1,
                _ => seen[2] += 1,
            }
            near = a.words().receiver.load().bytes;
        }
    }
    assert!(seen.iter().all(|count| *count > 100), "all kinds were tried: {seen:?}");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn a_sender_survives_a_receiver_that_writes_anything() {
    let ((ours, theirs), mut random) = (bell(), Random(0x5EED));
    let mut seen = [0; 3];
    for _ in 0..400 {
        let [a, b] = RingMemory::create().unwrap();
        let mut sender = RingSender::new(a, 1 + random.below(4)).unwrap();
        for _ in 0..40 {
            let near = b.words().sender.load();
            b.words().publish_received(random.position(near.bytes), &theirs);
            if random.below(2) == 0 {
                let items = near.items.saturating_sub(random.below(3));
                let bytes = near.bytes.saturating_sub(8 * random.below(9));
                b.words().publish_received(Position { bytes, items, ring: 0 }, &theirs);
            }
            end(b.words(), &mut random);
            match sender.offer_asleep(&vec![1; random.below(50_000) as usize], &ours) {
                Offered::Sent => seen[0] += 1,
                Offered::Full => seen[1] += 1,
                _ => seen[2] += 1,
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 100), "all kinds were tried: {seen:?}");
}

/// What an end that moves finds in the words is as hostile.
#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn an_end_that_has_moved_checks_where_it_is() {
    let ((ours, theirs), mut random) = (bell(), Random(0x5EED));
    let mut refused = 0;
    for _ in 0..2000 {
        let [a, b] = RingMemory::create().unwrap();
        let (near, other) = (random.number(64), random.number(64));
        let _ = a.words().publish_sent(random.position(near), &ours);
        a.words().publish_received(random.position(other), &theirs);
        match RingSender::new(a, 4) {
            Ok(mut sender) => (0..4).for_each(|_| _ = sender.offer(&[1; 3000], &ours)),
            Err(_) => refused += 1,
        }
        match RingReceiver::new(b, 4) {
            Ok(mut receiver) => (0..4).for_each(|_| _ = receiver.take(&mut Vec::new(), &theirs)),
            Err(_) => refused += 1,
        }
    }
    assert!((100..3900).contains(&refused), "{refused}");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn descriptors_of_other_things_are_refused() {
    let memfd = |size: u64, seals| {
        let file = memfd_create("x", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, size).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file
    };
    let size_seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    assert!(RingMemory::open(memfd(2 << FIRST, size_seals)).is_ok());
    assert!(RingMemory::open(memfd(1 << FIRST, size_seals)).is_err(), "too small");
    assert!(RingMemory::open(memfd(0, size_seals)).is_err());
    assert!(RingMemory::open(memfd(2 << FIRST, SealFlags::GROW)).is_err(), "it could become smaller");
    assert!(RingMemory::open(memfd(2 << FIRST, size_seals | SealFlags::WRITE)).is_err(), "it cannot be written to");
    assert!(RingMemory::open(std::fs::File::open("/dev/null").unwrap().into()).is_err());
    assert!(SocketBell::open(std::fs::File::open("/dev/null").unwrap().into()).is_err());
    assert!(SocketBell::open(std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into()).is_err());
    // A ring that does not exist is not mapped.
    let memory = RingMemory::open(memfd(2 << FIRST, size_seals)).unwrap();
    assert!(memory.ring(FIRST).is_ok() && memory.ring(FIRST + 1).is_err() && memory.ring(0).is_err());
    assert!(memory.ring(u32::MAX).is_err());
}
