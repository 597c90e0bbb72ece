//! The sender's end of a socket.

use super::Carried;
use super::outbox::{Gone, Outbox};
use crate::items::bell::{Rung, SocketBell};
use crate::items::send::Offered;
use crate::wire::items::stream::{UNREAD, acknowledged, header};
use rustix::io::Errno;
use std::sync::Arc;

/// Writes items.
#[derive(Debug)]
pub(crate) struct SocketSender {
    capacity: u64,
    /// Items that were sent and, as far as is acknowledged, not received.
    waiting: u64,
    /// Items that were sent since the last look.
    unread: u64,
    outbox: Arc<Outbox>,
}

impl SocketSender {
    /// A new channel's, or one that has moved to this process.
    pub(crate) fn new(capacity: u64, carried: Carried, bell: &SocketBell) -> Self {
        let outbox = Outbox::new(bell.descriptor().clone(), carried.bytes);
        Self { capacity: capacity.max(1), waiting: carried.count, unread: 0, outbox }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Sends an item, if fewer than the capacity wait.
    pub(crate) fn offer(&mut self, item: &[u8], bell: &SocketBell) -> Offered {
        if self.waiting >= self.capacity || self.unread >= UNREAD {
            if self.look(bell) == Rung::End {
                return Offered::Closed;
            }
            if self.waiting >= self.capacity {
                return Offered::Full;
            }
        }
        match self.outbox.send(header(item.len()), item) {
            Ok(Ok(())) => {
                (self.waiting, self.unread) = (self.waiting + 1, self.unread + 1);
                Offered::Sent
            }
            Ok(Err(e)) => Offered::Refused(e),
            Err(Gone) => Offered::Closed,
        }
    }

    /// Reads what the receiver has acknowledged.
    pub(crate) fn look(&mut self, bell: &SocketBell) -> Rung {
        self.unread = 0;
        let mut space = [0; 256];
        loop {
            match bell.read(&mut space) {
                Ok(length @ 1..) => match acknowledged(&space[..length]) {
                    Some(count) if count <= self.waiting => self.waiting -= count,
                    // What no receiver writes.
                    _ => return Rung::End,
                },
                Err(Errno::AGAIN) => return Rung::News,
                Ok(0) | Err(_) => return Rung::End,
            }
        }
    }

    pub(crate) fn leave(&self) -> Carried {
        Carried { count: self.waiting, bytes: self.outbox.leave() }
    }

    pub(crate) fn stay(&self) {
        self.outbox.stay();
    }

    pub(crate) fn close(&self) {
        self.outbox.close();
    }
}
