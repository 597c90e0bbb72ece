//! The two sides of an item channel, each over memory or over the socket alone.

use super::bell::{Rung, SocketBell};
use super::receive::{RingReceiver, Taken};
use super::send::{Offered, RingSender};
use super::socket::Carried;
use super::socket::receive::SocketReceiver;
use super::socket::send::SocketSender;
use crate::job::attachments;
use crate::sys::gifts;
use crate::sys::ring_memory::RingMemory;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// What items go through.
#[derive(Debug)]
pub(super) enum Medium {
    Memory(RingMemory),
    /// The socket alone, where the system has no memory to share.
    Socket(Carried),
}

/// A medium on its way to another process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum MediumTicket {
    /// The number of its descriptor among those of the message.
    Memory(u32),
    Socket(Carried),
}

/// Which end it is.
pub(super) trait Side: fmt::Debug + Send + Sized + 'static {
    const IS_SENDER: bool;

    fn open(medium: Medium, capacity: u64, bell: &SocketBell) -> io::Result<Self>;

    fn capacity(&self) -> u64;

    /// It goes with the message that is being written.
    fn leave(&self) -> io::Result<MediumTicket>;

    /// It stays after all.
    fn stay(&self);

    /// It is dropped: the other end sees that.
    fn close(&self, bell: &SocketBell);

    /// There was something on the socket.
    fn rung(&mut self, bell: &SocketBell) -> Rung;
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is behind a pointer, as part of its `Place`")]
pub(super) enum SendSide {
    Ring(RingSender),
    Socket(SocketSender),
}

impl SendSide {
    #[inline]
    pub(super) fn offer(&mut self, item: &[u8], bell: &SocketBell) -> Offered {
        match self {
            Self::Ring(ring) => ring.offer(item, bell),
            Self::Socket(socket) => socket.offer(item, bell),
        }
    }

    /// As `offer`, after having asked for the bell.
    pub(super) fn offer_asleep(&mut self, item: &[u8], bell: &SocketBell) -> Offered {
        match self {
            Self::Ring(ring) => ring.offer_asleep(item, bell),
            Self::Socket(socket) => socket.offer(item, bell),
        }
    }

    /// Whether the receiver is gone, as far as can be seen without waiting.
    pub(super) fn has_ended(&mut self, bell: &SocketBell) -> bool {
        match self {
            Self::Ring(ring) => ring.memory().words().is_receiver_gone() || bell.has_ended(),
            Self::Socket(socket) => socket.look(bell) == Rung::End,
        }
    }
}

impl Side for SendSide {
    const IS_SENDER: bool = true;

    fn open(medium: Medium, capacity: u64, bell: &SocketBell) -> io::Result<Self> {
        Ok(match medium {
            Medium::Memory(memory) => Self::Ring(RingSender::new(memory, capacity)?),
            Medium::Socket(carried) => Self::Socket(SocketSender::new(capacity, carried, bell)),
        })
    }

    fn capacity(&self) -> u64 {
        match self {
            Self::Ring(ring) => ring.capacity(),
            Self::Socket(socket) => socket.capacity(),
        }
    }

    fn leave(&self) -> io::Result<MediumTicket> {
        match self {
            Self::Ring(ring) => attach(ring.memory()),
            Self::Socket(socket) => Ok(MediumTicket::Socket(socket.leave())),
        }
    }

    fn stay(&self) {
        if let Self::Socket(socket) = self {
            socket.stay();
        }
    }

    fn close(&self, bell: &SocketBell) {
        match self {
            Self::Ring(ring) => {
                ring.memory().words().end_sender();
                bell.shut_down();
            }
            // Once all is written.
            Self::Socket(socket) => socket.close(),
        }
    }

    fn rung(&mut self, bell: &SocketBell) -> Rung {
        match self {
            Self::Ring(_) => bell.silence(),
            Self::Socket(socket) => socket.look(bell),
        }
    }
}

#[derive(Debug)]
pub(super) enum ReceiveSide {
    Ring(RingReceiver),
    Socket(SocketReceiver),
}

impl ReceiveSide {
    #[inline]
    pub(super) fn take(&mut self, into: &mut Vec<u8>, longest: u64, bell: &SocketBell) -> Taken {
        match self {
            Self::Ring(ring) => {
                ring.set_longest(longest);
                ring.take(into, bell)
            }
            Self::Socket(socket) => socket.take(into, longest, bell),
        }
    }

    /// The next item, if it is in a ring already, and no longer than that.
    #[inline]
    pub(super) fn take_small<const MOST: usize>(&mut self, into: &mut [u8; MOST], bell: &SocketBell) -> Option<usize> {
        match self {
            Self::Ring(ring) => ring.take_small(into, bell),
            Self::Socket(_) => None,
        }
    }

    /// As `take`, after having asked for the bell.
    pub(super) fn take_asleep(&mut self, into: &mut Vec<u8>, longest: u64, bell: &SocketBell) -> Taken {
        match self {
            Self::Ring(ring) => {
                ring.set_longest(longest);
                ring.take_asleep(into, bell)
            }
            Self::Socket(socket) => socket.take(into, longest, bell),
        }
    }

    /// After it has found nothing: it may find something at once, and has stopped so that others can run.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Socket(socket) if socket.is_busy())
    }
}

impl Side for ReceiveSide {
    const IS_SENDER: bool = false;

    fn open(medium: Medium, capacity: u64, _: &SocketBell) -> io::Result<Self> {
        Ok(match medium {
            Medium::Memory(memory) => Self::Ring(RingReceiver::new(memory, capacity)?),
            Medium::Socket(carried) => Self::Socket(SocketReceiver::new(capacity, carried)),
        })
    }

    fn capacity(&self) -> u64 {
        match self {
            Self::Ring(ring) => ring.capacity(),
            Self::Socket(socket) => socket.capacity(),
        }
    }

    fn leave(&self) -> io::Result<MediumTicket> {
        match self {
            Self::Ring(ring) => attach(ring.memory()),
            Self::Socket(socket) => Ok(MediumTicket::Socket(socket.leave())),
        }
    }

    fn stay(&self) {}

    fn close(&self, bell: &SocketBell) {
        if let Self::Ring(ring) = self {
            ring.memory().words().end_receiver();
        }
        bell.shut_down();
    }

    fn rung(&mut self, bell: &SocketBell) -> Rung {
        match self {
            Self::Ring(_) => bell.silence(),
            // `take` reads it.
            Self::Socket(_) => Rung::News,
        }
    }
}

fn attach(memory: &RingMemory) -> io::Result<MediumTicket> {
    attachments::attach(gifts::borrow(memory.descriptor())).map(MediumTicket::Memory)
}
