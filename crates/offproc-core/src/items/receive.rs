//! The receiver's end of the rings.

use super::bell::SocketBell;
use crate::sys::ring_memory::{FIRST, Ring, RingMemory};
use crate::wire::items::entry::{Entry, HEADER, SHORT};
use crate::wire::items::words::Position;
use std::io;

/// A ring of more than `2^KEPT` bytes keeps no pages of items that were received.
const KEPT: u32 = 24;
/// More entries than that never come between two items.
const MOVES: u32 = 4;

/// Reads items.
#[derive(Debug)]
pub(crate) struct RingReceiver {
    memory: RingMemory,
    ring: Ring,
    capacity: u64,
    own: Position,
    /// The sender's position, as last seen.
    tail: u64,
    longest: u64,
}

/// What the receiver finds.
#[derive(Debug)]
pub(crate) enum Taken {
    /// An item, in the buffer.
    Item,
    Empty,
    /// Nothing, and the sender is gone.
    End,
    /// There was an item, and there is no memory for it.
    Lost(io::Error),
    /// There is an item, and no memory for the ring that it is in. It stays there.
    Unmapped(io::Error),
    /// There was an item of so many bytes, more than there may be.
    TooLong(u64),
    /// The sender has written what no sender writes.
    Violation,
}

impl RingReceiver {
    /// A new channel's, or one that has moved to this process.
    pub(crate) fn new(memory: RingMemory, capacity: u64) -> io::Result<Self> {
        let own = memory.words().receiver.load().checked()?;
        Ok(Self { ring: memory.ring(own.ring)?, capacity, own, tail: own.bytes, longest: u64::MAX, memory })
    }

    pub(crate) fn memory(&self) -> &RingMemory {
        &self.memory
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Items of more bytes are left out.
    #[inline]
    pub(crate) fn set_longest(&mut self, longest: u64) {
        self.longest = longest;
    }

    /// True if there is something to take, or was at the last look.
    #[inline]
    pub(crate) fn look(&mut self) -> bool {
        if self.tail == self.own.bytes {
            self.tail = self.memory.words().sender.bytes();
        }
        self.tail != self.own.bytes
    }

    /// As [`take`](Self::take), after having asked for the bell: if there is still nothing, it will ring.
    pub(crate) fn take_asleep(&mut self, into: &mut Vec<u8>, bell: &SocketBell) -> Taken {
        let words = self.memory.words();
        if words.is_sender_gone() {
            // It may have sent something just before.
            return match self.take(into, bell) {
                Taken::Empty => Taken::End,
                taken => taken,
            };
        }
        words.receiver_sleeps();
        // For its order: `look` has a weaker one.
        let _ = words.sender.items();
        if self.look() {
            self.memory.words().receiver_wakes();
        }
        self.take(into, bell)
    }

    /// The next item.
    #[inline]
    pub(crate) fn take(&mut self, into: &mut Vec<u8>, bell: &SocketBell) -> Taken {
        if !self.look() {
            return Taken::Empty;
        }
        let taken = self.take_next(into);
        if !matches!(taken, Taken::Violation | Taken::Unmapped(_)) {
            self.own.items = self.own.items.wrapping_add(1);
            self.memory.words().publish_received(self.own, bell);
        }
        taken
    }

    /// The next item, if it is there, and is no longer than that.
    #[inline]
    pub(crate) fn take_small<const MOST: usize>(&mut self, into: &mut [u8; MOST], bell: &SocketBell) -> Option<usize> {
        if !self.look() {
            return None;
        }
        let there = self.tail.wrapping_sub(self.own.bytes);
        let offset = self.ring.offset(self.own.bytes);
        let to_end = self.ring.size() - offset;
        let entry = Entry::from_word(self.ring.load(offset))?;
        let size = entry.size();
        // All else is checked elsewhere.
        if there > self.ring.size() || there % 8 != 0 || size > there.min(to_end) {
            return None;
        }
        let length = match entry {
            Entry::Short(length, bytes) => {
                const { assert!(MOST > SHORT) };
                into[..=SHORT].copy_from_slice(&bytes.to_le_bytes());
                length
            }
            Entry::Item(length) if length <= MOST as u64 => {
                self.ring.copy_out_small(offset + HEADER, &mut into[..length as usize]);
                length as usize
            }
            _ => return None,
        };
        self.own.bytes += size;
        self.own.items = self.own.items.wrapping_add(1);
        self.memory.words().publish_received(self.own, bell);
        Some(length)
    }

    fn take_next(&mut self, into: &mut Vec<u8>) -> Taken {
        for _ in 0..MOVES {
            let there = self.tail.wrapping_sub(self.own.bytes);
            // What is no multiple of 8, or goes backwards, is never written.
            if there < HEADER || there % 8 != 0 || there > u64::MAX / 2 {
                return Taken::Violation;
            }
            let offset = self.ring.offset(self.own.bytes);
            let to_end = self.ring.size() - offset;
            match Entry::from_word(self.ring.load(offset)) {
                Some(Entry::Rewind) if to_end <= there => self.own.bytes += to_end,
                Some(Entry::Move(number)) => {
                    let next = match self.memory.ring(number) {
                        Ok(next) => next,
                        // There is no such ring.
                        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Taken::Violation,
                        Err(e) => return Taken::Unmapped(e),
                    };
                    if self.ring.number() != FIRST {
                        self.memory.give_back(&self.ring, 0..self.ring.size());
                    }
                    self.ring = next;
                    self.own.ring = number;
                    self.own.bytes += HEADER;
                }
                Some(entry @ Entry::Item(length)) if entry.size() <= there.min(to_end) => {
                    let ring = &self.ring;
                    let copied = self.copied(length, |length| ring.copy_out(offset + HEADER, length, into));
                    if ring.number() > KEPT {
                        // Before the sender gets the room.
                        self.memory.give_back(ring, offset..offset + entry.size());
                    }
                    self.own.bytes += entry.size();
                    return copied;
                }
                Some(Entry::Short(length, bytes)) => {
                    self.own.bytes += HEADER;
                    return self.copied(length as u64, |length| {
                        into.clear();
                        into.try_reserve(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
                        into.extend_from_slice(&bytes.to_le_bytes()[..length]);
                        Ok(())
                    });
                }
                _ => return Taken::Violation,
            }
        }
        Taken::Violation
    }

    /// An item of this length, unless it is too long.
    fn copied(&self, length: u64, copy: impl FnOnce(usize) -> io::Result<()>) -> Taken {
        if length > self.longest {
            return Taken::TooLong(length);
        }
        copy(length as usize).map_or_else(Taken::Lost, |()| Taken::Item)
    }
}
