//! The attachments of a message, as its sender gathers them.

use super::ends::{Ends, HasDied, Leaving};
use super::incoming::Incoming;
use super::reference::{FAR, IN_AN_ITEM, NOT_IN_A_CALL, Reference};
use super::thread_scope::{RestoreOnDrop, reach};
use crate::error::about;
use crate::job::reason::{forget_reason, noted};
use crate::job::shared_buffer::{SharedBuffer, WeakBuffer};
use crate::role;
use crate::sorted_map::SortedMap;
use crate::sys::fork_registry::TrackedGift;
use crate::sys::gifts::{self, BorrowedGift, MAX_FDS};
use std::cell::RefCell;
use std::io;
use std::sync::Arc;

/// How many buffers of its parent a worker keeps mapped.
const KEPT: usize = 64;

thread_local! {
    static OUTGOING: RefCell<Option<Outgoing>> = const { RefCell::new(None) };
}

/// The attachments of a message, gathered by its sender. Small, as most messages have none.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    sharing: Sharing,
    /// A parent's: the `max_message_size` of the call.
    limit: usize,
    things: Option<Box<Gathered>>,
}

/// How buffers are sent.
#[derive(Clone, Copy, Debug, Default)]
enum Sharing {
    /// As plain bytes.
    #[default]
    Copy,
    /// As references, by a parent: it knows what the worker has mapped.
    Down,
    /// As references, by a worker.
    Up,
    /// As plain bytes, and descriptors not at all.
    None,
    /// The same: the other side is behind a command, and may be on another machine.
    Far,
}

#[derive(Debug, Default)]
struct Gathered {
    descriptors: Vec<TrackedGift>,
    /// Buffers that the receiver is to unmap.
    evicted: Vec<u64>,
    /// Buffers that the message refers to.
    sent: Vec<(u64, SharedBuffer)>,
    /// The ids of those that come with their descriptor.
    new: Vec<u64>,
    /// The buffers that the worker has mapped.
    cached: SortedMap<u64, WeakBuffer>,
    /// The buffers that the worker received with its job.
    received: Vec<(u64, SharedBuffer)>,
    /// The ends of channels that go with the message.
    ends: Ends,
}

impl Outgoing {
    /// For a parent whose worker shares memory with it.
    pub(crate) fn down() -> Self {
        Self { sharing: Sharing::Down, ..Self::default() }
    }

    /// For a worker that shares memory with its parent.
    pub(crate) fn up(incoming: &mut Incoming) -> Self {
        let received = incoming.take_received();
        let things =
            if received.is_empty() { None } else { Some(Box::new(Gathered { received, ..Gathered::default() })) };
        Self { sharing: Sharing::Up, limit: 0, things }
    }

    /// For what has no attachments: an item of a channel.
    pub(crate) fn none() -> Self {
        Self { sharing: Sharing::None, ..Self::default() }
    }

    /// For either side of a worker behind a command.
    pub(crate) fn far() -> Self {
        Self { sharing: Sharing::Far, ..Self::default() }
    }

    /// For a parent: the `max_message_size` of the call.
    #[inline]
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Runs `write` with these attachments available to what it serialises.
    #[inline]
    pub(crate) fn while_sending<T>(&mut self, write: impl FnOnce() -> T) -> T {
        if let Some(things) = &mut self.things {
            things.prepare();
        }
        self.while_sending_part(write)
    }

    /// The same for one more part of a message.
    #[inline]
    pub(crate) fn while_sending_part<T>(&mut self, write: impl FnOnce() -> T) -> T {
        forget_reason();
        let back = RestoreOnDrop::new(&OUTGOING, self);
        let written = write();
        back.end();
        written
    }

    /// For a worker: the next part of its answer may refer to the buffers that came with this part of its job.
    #[inline]
    pub(crate) fn receive_part(&mut self, incoming: &mut Incoming) {
        let received = incoming.take_received();
        if !received.is_empty() || self.things.is_some() {
            self.things().received = received;
        }
    }

    /// The message was not sent: buffers that were new to the worker still are.
    pub(crate) fn take_back(&mut self) {
        if let Some(things) = &mut self.things {
            for id in things.new.drain(..) {
                things.cached.remove(id);
            }
            things.sent.clear();
            things.descriptors.clear();
        }
        self.ends_stay();
    }

    /// The worker will never read the message: the ends of channels in it may go with another.
    pub(crate) fn ends_stay(&mut self) {
        if let Some(things) = &mut self.things {
            things.ends.stay();
        }
    }

    /// The job was sent; this says whether its worker has died of it.
    pub(crate) fn ends_depart(&mut self, has_died: impl FnOnce() -> HasDied) {
        if let Some(things) = &mut self.things {
            things.ends.depart(has_died);
        }
    }

    /// The worker has read the message.
    pub(crate) fn ends_left(&mut self) {
        if let Some(things) = &mut self.things {
            things.ends.left();
        }
    }

    /// The message was sent, and the worker may not have received its attachments.
    pub(crate) fn is_in_doubt(&mut self) {
        if let Some(things) = &mut self.things {
            for (id, _) in things.sent.drain(..) {
                if things.cached.remove(id).is_some() {
                    things.evicted.push(id);
                }
            }
        }
    }

    /// The message was sent.
    pub(crate) fn is_sent(&mut self) {
        if let Some(things) = &mut self.things {
            things.descriptors.clear();
            things.evicted.clear();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.things.as_ref().is_none_or(|things| things.descriptors.is_empty() && things.evicted.is_empty())
    }

    pub(crate) fn descriptors(&self) -> &[TrackedGift] {
        self.things.as_ref().map_or(&[], |things| &things.descriptors)
    }

    pub(crate) fn take_descriptors(&mut self) -> Vec<TrackedGift> {
        self.things.as_mut().map(|things| std::mem::take(&mut things.descriptors)).unwrap_or_default()
    }

    /// The buffers that the receiver is to unmap.
    pub(crate) fn evicted(&self) -> &[u64] {
        self.things.as_ref().map_or(&[], |things| &things.evicted)
    }

    /// The buffers that the message refers to.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &SharedBuffer> {
        self.things.iter().flat_map(|things| things.sent.iter().map(|(_, buffer)| buffer))
    }

    /// The message was answered. Returns the buffers that it refers to: its answer may refer to them too.
    pub(crate) fn take_sent(&mut self) -> Vec<(u64, SharedBuffer)> {
        let taken = |things: &mut Box<Gathered>| {
            things.ends.left();
            std::mem::take(&mut things.sent)
        };
        self.things.as_mut().map(taken).unwrap_or_default()
    }

    fn things(&mut self) -> &mut Gathered {
        self.things.get_or_insert_default()
    }
}

impl Gathered {
    /// Resets it for the next message.
    fn prepare(&mut self) {
        self.descriptors.clear();
        self.sent.clear();
        self.new.clear();
        self.ends.left();
        let is_full = self.cached.len() > KEPT;
        let evicted = &mut self.evicted;
        self.cached.retain(|id, buffer| {
            let keep = !is_full && buffer.is_alive();
            if !keep {
                evicted.push(*id);
            }
            keep
        });
    }
}

impl Outgoing {
    fn attach(&mut self, fd: BorrowedGift<'_>) -> io::Result<u32> {
        match self.sharing {
            Sharing::None => return Err(io::Error::other(IN_AN_ITEM)),
            Sharing::Far => return Err(io::Error::other(FAR)),
            Sharing::Copy | Sharing::Down | Sharing::Up => {}
        }
        let descriptors = &mut self.things().descriptors;
        if descriptors.len() >= MAX_FDS {
            return Err(io::Error::other(format!(
                "a call, or an answer, can carry at most {MAX_FDS} descriptors, those of `SharedBytes` included"
            )));
        }
        let fd = fd.try_clone_to_owned().map_err(|e| about("a descriptor could not be duplicated", e))?;
        descriptors.push(fd.into());
        #[allow(clippy::cast_possible_truncation, reason = "bounded just above")]
        Ok(descriptors.len() as u32 - 1)
    }

    fn lend(&mut self, buffer: &SharedBuffer) -> io::Result<Option<Reference>> {
        let Some(memory) = buffer.memory().descriptor() else { return Ok(None) };
        let length = buffer.memory().bytes().len() as u64;
        let (id, is_new) = match self.sharing {
            Sharing::Copy | Sharing::None | Sharing::Far => return Ok(None),
            Sharing::Down => (buffer.id(), self.things().cached.insert(buffer.id(), buffer.downgrade()).is_none()),
            Sharing::Up => match self.things().received.iter().find(|(_, one)| one.is(buffer)) {
                Some((id, _)) => (*id, false),
                None => (0, true),
            },
        };
        self.things().sent.push((id, buffer.clone()));
        let at = if is_new {
            self.things().new.push(id);
            Some(self.attach(gifts::borrow(memory))?)
        } else {
            None
        };
        Ok(Some(Reference { id, length, at }))
    }
}

/// Attaches a duplicate of a descriptor to the message being written; returns its number.
pub(crate) fn attach(fd: BorrowedGift<'_>) -> io::Result<u32> {
    noted(reach(&OUTGOING, |outgoing| match outgoing {
        Some(outgoing) => outgoing.attach(fd),
        None => Err(io::Error::other(NOT_IN_A_CALL)),
    }))
}

/// An end of a channel goes with the message being written.
pub(crate) fn attach_end(end: Arc<dyn Leaving>) {
    reach(&OUTGOING, |outgoing| {
        if let Some(outgoing) = outgoing {
            outgoing.things().ends.add(end);
        }
    });
}

/// The `max_message_size` of the context that the message being written is for, or from.
pub(crate) fn limit_of_outgoing() -> usize {
    let limit = reach(&OUTGOING, |outgoing| outgoing.map_or(0, |outgoing| outgoing.limit));
    if limit > 0 { limit } else { role::max_message_size() }
}

/// A reference to a buffer for the message being written; `None`: copy it instead.
pub(crate) fn lend(buffer: &SharedBuffer) -> io::Result<Option<Reference>> {
    noted(reach(&OUTGOING, |outgoing| outgoing.map_or(Ok(None), |outgoing| outgoing.lend(buffer))))
}

/// Whether the message being written has an attachment.
pub(crate) fn is_attached() -> bool {
    let has_any = |things: &Gathered| !things.descriptors.is_empty() || !things.sent.is_empty();
    reach(&OUTGOING, |outgoing| outgoing.and_then(|outgoing| outgoing.things.as_deref()).is_some_and(has_any))
}
