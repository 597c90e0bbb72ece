//! The sender's end of the rings.

use super::bell::SocketBell;
use crate::error::about;
use crate::sys::ring_memory::{FIRST, Ring, RingMemory};
use crate::wire::items::entry::{Entry, HEADER};
use crate::wire::items::words::Position;
use std::io;

/// After so many items that would have fit well into the first ring, the sender goes back to it.
const SMALL_ITEMS: u32 = 64;
/// That is so many to a ring.
const FIT_WELL: u64 = 4;
/// No ring is larger than that, and no position that the other end has comes near.
const RINGS: usize = 48;

/// Writes items.
#[derive(Debug)]
pub(crate) struct RingSender {
    memory: RingMemory,
    ring: Ring,
    capacity: u64,
    own: Position,
    /// Where the ring begins: what comes before is in others.
    start: u64,
    /// Where the sender left each ring: it is free once the receiver has come so far.
    left: [u64; RINGS],
    /// The receiver's position, as last seen.
    head: u64,
    received: u64,
    small_items: u32,
}

/// What became of an item.
#[derive(Debug)]
pub(crate) enum Offered {
    Sent,
    /// There is no room for it now.
    Full,
    /// The receiver is gone, or has written what no receiver writes.
    Closed,
    /// It can never be sent.
    Refused(io::Error),
}

impl RingSender {
    /// A new channel's, or one that has moved to this process.
    pub(crate) fn new(memory: RingMemory, capacity: u64) -> io::Result<Self> {
        let own = memory.words().sender.load().checked()?;
        Ok(Self {
            ring: memory.ring(own.ring)?,
            capacity: capacity.max(1),
            own,
            // As if the ring began where the receiver is, and all others were left just now.
            start: 0,
            left: [own.bytes; RINGS],
            head: 0,
            received: 0,
            small_items: 0,
            memory,
        })
    }

    pub(crate) fn memory(&self) -> &RingMemory {
        &self.memory
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Sends an item, if there is room.
    #[inline]
    pub(crate) fn offer(&mut self, item: &[u8], bell: &SocketBell) -> Offered {
        if self.own.items - self.received >= self.capacity {
            if !self.look() {
                return Offered::Closed;
            }
            if self.own.items - self.received >= self.capacity {
                return Offered::Full;
            }
        }
        let entry = Entry::of_item(item);
        let size = entry.size();
        if self.ring.number() != FIRST && self.wants_first_ring(size) {
            if let Err(e) = self.move_to(FIRST) {
                return Offered::Refused(e);
            }
        }
        if !self.make_room(size) {
            if !self.look() {
                return Offered::Closed;
            }
            if !self.make_room(size) {
                match self.grow(size) {
                    Ok(true) => {}
                    Ok(false) => return Offered::Full,
                    Err(e) => return Offered::Refused(e),
                }
            }
        }
        let offset = self.ring.offset(self.own.bytes);
        self.ring.store(offset, entry.to_word());
        if size > HEADER {
            self.ring.copy_in(offset + HEADER, item);
        }
        self.own.bytes += size;
        self.own.items += 1;
        match self.memory.words().publish_sent(self.own, bell) {
            Ok(()) => Offered::Sent,
            Err(_) => Offered::Closed,
        }
    }

    /// As [`offer`](Self::offer), after having asked for the bell: if there is still no room, it will ring.
    pub(crate) fn offer_asleep(&mut self, item: &[u8], bell: &SocketBell) -> Offered {
        self.memory.words().sender_sleeps();
        let offered = self.offer(item, bell);
        if !matches!(offered, Offered::Full) {
            self.memory.words().sender_wakes();
        }
        offered
    }

    /// Whether the receiver has received something since the last look.
    pub(crate) fn may_have_room(&self) -> bool {
        self.memory.words().receiver.items() != self.received
    }

    /// Looks how far the receiver is. False if it cannot be there.
    fn look(&mut self) -> bool {
        let words = self.memory.words();
        let (received, head) = (words.receiver.items(), words.receiver.bytes());
        let is_sound = (self.received..=self.own.items).contains(&received)
            && (self.head..=self.own.bytes).contains(&head)
            && head % 8 == 0;
        if is_sound {
            (self.received, self.head) = (received, head);
        }
        is_sound
    }

    /// How many bytes of the ring are free.
    fn free(&self) -> u64 {
        self.ring.size() - (self.own.bytes - self.head.max(self.start)).min(self.ring.size())
    }

    /// Whether there are so many bytes in one piece, at the sender's position; rewinds for that. Leaves room for the
    /// entry by which the sender moves to another ring.
    #[inline]
    fn make_room(&mut self, size: u64) -> bool {
        let free = self.free();
        let offset = self.ring.offset(self.own.bytes);
        let to_end = self.ring.size() - offset;
        if size <= to_end {
            return size + HEADER <= free;
        }
        if to_end.saturating_add(size).saturating_add(HEADER) > free {
            return false;
        }
        self.ring.store(offset, Entry::Rewind.to_word());
        self.own.bytes += to_end;
        true
    }

    /// Moves to a larger ring with room for an item. False if there is none now.
    #[cold]
    fn grow(&mut self, size: u64) -> io::Result<bool> {
        // For two such items, as their positions are not at the ring's beginning.
        let least = size.saturating_mul(2).saturating_add(2 * HEADER).checked_next_power_of_two();
        let least = least.map_or(u32::MAX, u64::ilog2);
        if least > self.memory.last() {
            let text = format!("an item of {size} bytes is larger than the memory of a channel can be here");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let larger = (self.ring.number() + 1).max(least)..=self.memory.last();
        let Some(number) = larger.into_iter().find(|number| self.is_free(*number)) else { return Ok(false) };
        self.move_to(number)?;
        Ok(self.make_room(size))
    }

    fn is_free(&self, number: u32) -> bool {
        self.left.get(number as usize).is_some_and(|left| *left <= self.head)
    }

    /// Whether to go back to the first ring: for some time, all items would have fit into it well.
    #[cold]
    fn wants_first_ring(&mut self, size: u64) -> bool {
        if size > (1 << FIRST) / FIT_WELL {
            self.small_items = 0;
            return false;
        }
        self.small_items = self.small_items.saturating_add(1);
        self.small_items >= SMALL_ITEMS && self.look() && self.is_free(FIRST)
    }

    fn move_to(&mut self, number: u32) -> io::Result<()> {
        let next = self.memory.ring(number).map_err(|e| about("there is no memory for an item", e))?;
        self.ring.store(self.ring.offset(self.own.bytes), Entry::Move(number).to_word());
        self.own.bytes += HEADER;
        self.own.ring = number;
        if let Some(left) = self.left.get_mut(self.ring.number() as usize) {
            *left = self.own.bytes;
        }
        (self.ring, self.start, self.small_items) = (next, self.own.bytes, 0);
        Ok(())
    }
}
