//! The receiver's end of a socket.

use super::Carried;
use crate::items::bell::SocketBell;
use crate::items::receive::Taken;
use crate::sys::socket::{self, Blocking};
use crate::wire::items::stream::{HEADER, UNREAD, acknowledgement, batch, length};
use rustix::io::Errno;
use std::io;

/// How many bytes it reads at once, and keeps room for.
const PIECE: usize = 1 << 16;
/// How often it reads in one go. A task then lets others run.
const MOST_READS: usize = 64;
/// A buffer of more bytes is not kept.
const KEPT: usize = 1 << 20;

/// Reads items.
#[derive(Debug)]
pub(crate) struct SocketReceiver {
    capacity: u64,
    /// Items that were received, and that the sender does not know of.
    unacknowledged: u64,
    /// What was read and not handed out: `start..end` of the buffer.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// There may be more to read at once.
    is_busy: bool,
    /// It does not know where the next item begins.
    is_lost: bool,
}

impl SocketReceiver {
    /// A new channel's, or one that has moved to this process.
    pub(crate) fn new(capacity: u64, carried: Carried) -> Self {
        // The process that it comes from may say anything.
        let (buffer, unacknowledged) = (carried.bytes, carried.count.min(capacity.max(1)));
        Self {
            capacity: capacity.max(1),
            unacknowledged,
            start: 0,
            end: buffer.len(),
            buffer,
            is_busy: false,
            is_lost: false,
        }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// After `Empty`: it has only stopped reading for a moment.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// The next item. `Empty`: the socket is readable once there is more. One above
    /// `longest` bytes is the last: what it takes to read past it is its sender's choice.
    pub(crate) fn take(&mut self, into: &mut Vec<u8>, longest: u64, bell: &SocketBell) -> Taken {
        self.is_busy = false;
        if self.is_lost {
            return Taken::End;
        }
        for _ in 0..MOST_READS {
            let needed = match self.next(longest) {
                Next::Item(length) => return self.hand_out(length, into, bell),
                Next::TooLong(length) => {
                    self.is_lost = true;
                    return Taken::TooLong(length);
                }
                Next::Needs(needed) => needed,
            };
            if let Err(e) = self.make_room(needed) {
                self.is_lost = true;
                return Taken::Lost(e);
            }
            match bell.read(&mut self.buffer[self.end..]) {
                Ok(read @ 1..) => self.end += read,
                Err(Errno::AGAIN) => {
                    self.acknowledge(bell);
                    return Taken::Empty;
                }
                // An item that its sender could not write to its end was not sent.
                Ok(0) | Err(_) => return Taken::End,
            }
        }
        self.is_busy = true;
        Taken::Empty
    }

    /// What the buffer has.
    fn next(&self, longest: u64) -> Next {
        let there = &self.buffer[self.start..self.end];
        let Some(header) = there.first_chunk() else { return Next::Needs(HEADER) };
        let length = length(*header);
        if length > longest {
            return Next::TooLong(length);
        }
        let Some(whole) = usize::try_from(length).ok().and_then(|length| length.checked_add(HEADER)) else {
            return Next::TooLong(length);
        };
        if there.len() < whole { Next::Needs(whole) } else { Next::Item(length as usize) }
    }

    fn hand_out(&mut self, length: usize, into: &mut Vec<u8>, bell: &SocketBell) -> Taken {
        let item = &self.buffer[self.start + HEADER..][..length];
        into.clear();
        let room = into.try_reserve(length);
        if room.is_ok() {
            into.extend_from_slice(item);
        }
        self.start += HEADER + length;
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        if self.unacknowledged >= batch(self.capacity) {
            self.acknowledge(bell);
        }
        match room {
            Ok(()) => Taken::Item,
            Err(_) => Taken::Lost(io::ErrorKind::OutOfMemory.into()),
        }
    }

    /// Room for one more piece of an item of so many bytes; twice what has come at most.
    fn make_room(&mut self, needed: usize) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let size = needed.min(2 * self.end).max(self.end + PIECE);
        if self.buffer.len() > KEPT && size <= PIECE {
            self.buffer = Vec::new();
        }
        if size > self.buffer.len() {
            self.buffer.try_reserve_exact(size - self.buffer.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.buffer.resize(size, 0);
        }
        Ok(())
    }

    /// Acknowledges what was received.
    fn acknowledge(&mut self, bell: &SocketBell) {
        let mut space = [0; UNREAD as usize];
        let (bytes, count) = acknowledgement(self.unacknowledged, &mut space);
        if bytes.is_empty() {
            return;
        }
        // Without room, the sender has not read what was acknowledged before. A part of it would be as true.
        match socket::send(bell.descriptor(), bytes, Blocking::No) {
            Ok(sent) if sent == bytes.len() => self.unacknowledged -= count,
            Ok(sent) => self.unacknowledged -= bytes[..sent].iter().map(|byte| u64::from(*byte)).sum::<u64>(),
            Err(_) => {}
        }
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.buffer.capacity()
    }

    pub(crate) fn leave(&self) -> Carried {
        Carried { count: self.unacknowledged, bytes: self.buffer[self.start..self.end].to_vec() }
    }
}

/// What is next in the buffer.
enum Next {
    /// An item of so many bytes.
    Item(usize),
    /// The beginning of one that is above the limit.
    TooLong(u64),
    /// So many bytes are needed.
    Needs(usize),
}
