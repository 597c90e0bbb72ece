//! An end of an item channel: where it is, and how it moves to another process.

use super::bell::{Rung, SocketBell};
use super::bound::Bound;
use super::send_queue::SendQueue;
use super::side::{Medium, MediumTicket, Side};
use super::spin::{Looked, Spin};
use crate::error::about;
use crate::job::attachments::{self, Leaving};
use crate::job::own;
use crate::job::reason::noted;
use crate::role;
use crate::sys::discard::discard;
use crate::sys::fork::{generation, lock_registry_in_forks};
use crate::sys::gifts::{self, Gift};
use crate::sys::ring_memory::RingMemory;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an end has while it is in this process.
#[derive(Debug)]
pub(super) struct Link<S> {
    pub(super) side: S,
    pub(super) bell: SocketBell,
    pub(super) bound: Bound,
    /// The other end is gone, or has written what no end writes.
    pub(super) is_over: bool,
    pub(super) spin: Spin,
    pub(super) looked: Looked,
    pub(super) queue: SendQueue,
}

impl<S: Side> Link<S> {
    fn new(side: S, bell: SocketBell, bound: Bound) -> Self {
        let (spin, looked, queue) = (Spin::new(), Looked::new(), SendQueue::default());
        Self { side, bell, bound, is_over: false, spin, looked, queue }
    }

    /// There was something on the socket.
    pub(super) fn rung(&mut self) {
        self.is_over |= self.side.rung(&self.bell) == Rung::End;
    }

    fn close(self) {
        self.side.close(&self.bell);
    }
}

/// An end, which is in this process, on its way to another, or gone.
#[derive(Debug)]
pub(super) struct End<S: Side>(Arc<Place<S>>);

#[derive(Debug)]
struct Place<S: Side> {
    state: Mutex<State<S>>,
    /// A fork of this process has neither the memory nor the socket.
    generation: u32,
}

#[derive(Debug)]
pub(super) enum State<S> {
    Here(Link<S>),
    /// It goes with a message that may still come back.
    Leaving(Link<S>),
    Gone,
    /// The channel could not be made.
    Failed(String),
}

impl<S: Side> End<S> {
    fn of(state: State<S>) -> Self {
        Self(Arc::new(Place { state: Mutex::new(state), generation: generation() }))
    }

    pub(super) fn new(medium: Medium, capacity: u64, bell: SocketBell, bound: Bound) -> io::Result<Self> {
        let side = S::open(medium, capacity, &bell)?;
        Ok(Self::of(State::Here(Link::new(side, bell, bound))))
    }

    /// Of a channel that could not be made.
    pub(super) fn failed(reason: &io::Error) -> Self {
        Self::of(State::Failed(format!("the channel could not be made: {reason}")))
    }

    /// `None` in a fork of its process.
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, State<S>>> {
        if self.0.generation == generation() { Some(self.0.lock()) } else { None }
    }

    /// Drops it, while its owner is still there.
    pub(super) fn close(&self) {
        let Some(mut state) = self.lock() else { return };
        if let State::Here(_) = *state {
            let last = std::mem::replace(&mut *state, State::Gone);
            // Without the lock, as it may drop a waker.
            drop(state);
            if let State::Here(link) = last {
                link.close();
            }
        }
    }
}

impl<S: Side> Place<S> {
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Side> Drop for Place<S> {
    fn drop(&mut self) {
        let state = std::mem::replace(self.state.get_mut().unwrap_or_else(PoisonError::into_inner), State::Gone);
        match state {
            state if self.generation != generation() => std::mem::forget(state),
            State::Here(link) => link.close(),
            State::Leaving(_) | State::Gone | State::Failed(_) => {}
        }
    }
}

impl<S: Side> Leaving for Place<S> {
    fn stays(&self) {
        let mut state = self.lock();
        *state = match std::mem::replace(&mut *state, State::Gone) {
            State::Leaving(link) => {
                link.side.stay();
                State::Here(link)
            }
            other => other,
        };
    }

    fn left(&self) {
        let mut state = self.lock();
        if let State::Leaving(_) = *state {
            let link = std::mem::replace(&mut *state, State::Gone);
            drop(state);
            drop(link);
        }
    }
}

/// How it travels: which end, the capacity, the number of its socket among the descriptors of the message, and what its
/// items go through.
type Ticket = (bool, u64, u32, MediumTicket);

const NOT_IN_A_CALL: &str = "an end of a channel can only be serialised and deserialised as an argument or a result \
    of a call, alone or inside other types, and not by another format inside one of them";

impl<S: Side> Serialize for End<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_newtype_struct(own::NAME, &Moving(self))
    }
}

/// An end, in a binary format, own or not.
struct Moving<'a, S: Side>(&'a End<S>);

impl<S: Side> Serialize for Moving<'_, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let ticket = if own::is_asked() { self.0.leave() } else { Err(io::Error::other(NOT_IN_A_CALL)) };
        noted(ticket).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<S: Side> End<S> {
    /// Goes with the message that is being written.
    fn leave(&self) -> io::Result<Ticket> {
        let mut state = self.lock().ok_or_else(|| io::Error::other("this process is a fork of the channel's"))?;
        let link = match &*state {
            State::Here(link) if link.queue.is_empty() => link,
            State::Here(_) => return Err(io::Error::other("a `send` on this end of a channel waits: await it first")),
            State::Leaving(_) | State::Gone => {
                return Err(io::Error::other("this end of a channel was sent already: it has one owner"));
            }
            State::Failed(reason) => return Err(io::Error::other(reason.clone())),
        };
        let socket = gifts::of_socket(link.bell.descriptor()).and_then(attachments::attach);
        let medium = socket.and_then(|socket| Ok((socket, link.side.leave()?)));
        let (socket, medium) = medium.map_err(|e| about("an end of a channel could not be sent", e))?;
        link.bound.set(attachments::limit_of_outgoing());
        let ticket = (S::IS_SENDER, link.side.capacity(), socket, medium);
        let place: Arc<Place<S>> = Arc::clone(&self.0);
        attachments::attach_end(place);
        *state = match std::mem::replace(&mut *state, State::Gone) {
            State::Here(link) => State::Leaving(link),
            other => other,
        };
        Ok(ticket)
    }

    /// Has come with the message that is being read.
    fn arrive((is_sender, capacity, socket, medium): Ticket) -> io::Result<Self> {
        let socket = attachments::detach(socket)?;
        // Before anything else drops it: a worker may send what takes long to close.
        let medium = match Self::open(medium) {
            Ok(medium) => medium,
            Err(e) => {
                discard([socket]);
                return Err(e);
            }
        };
        let bell = SocketBell::open(gifts::into_socket(out_of_the_way(socket))?)?;
        if is_sender != S::IS_SENDER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is the other end of the channel"));
        }
        Self::new(medium, capacity, bell, Bound::of(attachments::limit_of_incoming()))
    }

    fn open(medium: MediumTicket) -> io::Result<Medium> {
        lock_registry_in_forks();
        Ok(match medium {
            MediumTicket::Memory(memory) => {
                Medium::Memory(RingMemory::open(out_of_the_way(attachments::detach(memory)?))?)
            }
            MediumTicket::Socket(carried) => Medium::Socket(carried),
        })
    }
}

/// In a worker: under a number that a job does not close by mistake.
fn out_of_the_way(gift: Gift) -> Gift {
    if role::depth() == 0 {
        return gift;
    }
    gifts::kept(gift)
}

impl<'de, S: Side> Deserialize<'de> for End<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(own::NAME, EndVisitor).and_then(|ticket| {
            let arrived = Self::arrive(ticket).map_err(|e| about("an end of a channel did not arrive", e));
            noted(arrived).map_err(D::Error::custom)
        })
    }
}

struct EndVisitor;

impl<'de> Visitor<'de> for EndVisitor {
    type Value = Ticket;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an end of a channel that goes with a call")
    }

    fn visit_some<D: Deserializer<'de>>(self, own: D) -> Result<Ticket, D::Error> {
        Ticket::deserialize(own)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Ticket, D::Error> {
        noted(Err(io::Error::other(NOT_IN_A_CALL))).map_err(D::Error::custom)
    }
}
