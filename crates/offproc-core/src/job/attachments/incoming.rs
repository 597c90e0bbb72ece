//! The attachments of a received message.

use super::reference::{NOT_IN_A_CALL, Reference};
use super::thread_scope::{RestoreOnDrop, reach};
use crate::job::reason::{forget_reason, noted};
use crate::job::shared_buffer::{SharedBuffer, not_mapped};
use crate::role;
use crate::sorted_map::SortedMap;
use crate::sys::discard::discard;
use crate::sys::gifts::Gift;
use crate::sys::sealed::Sealed;
use std::cell::RefCell;
use std::io;

thread_local! {
    static INCOMING: RefCell<Option<Incoming>> = const { RefCell::new(None) };
}

/// The attachments of a received message. Small, as most messages have none.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    things: Option<Box<Arrived>>,
}

#[derive(Debug, Default)]
struct Arrived {
    descriptors: Vec<Option<Gift>>,
    /// True if a worker sent them.
    is_answer: bool,
    /// The `max_message_size` of the context, if a worker sent them.
    limit: usize,
    cached: SortedMap<u64, SharedBuffer>,
    /// Which of the buffers this message refers to.
    received: Vec<(u64, SharedBuffer)>,
}

impl Incoming {
    /// For a parent: an answer may refer to the buffers that were sent with the job.
    pub(crate) fn answer(descriptors: Vec<Gift>, sent: Vec<(u64, SharedBuffer)>, limit: usize) -> Self {
        let mut incoming = Self::default();
        if !sent.is_empty() {
            let cached = &mut incoming.things().cached;
            for (id, buffer) in sent {
                cached.insert(id, buffer);
            }
        }
        if !descriptors.is_empty() {
            (incoming.things().is_answer, incoming.things().limit) = (true, limit);
        }
        incoming.put(descriptors);
        incoming
    }

    /// For a worker: a job has come, with these.
    #[inline]
    pub(crate) fn put(&mut self, descriptors: Vec<Gift>) {
        self.end_job();
        if !descriptors.is_empty() {
            self.things().descriptors.extend(descriptors.into_iter().map(Some));
        }
    }

    /// For a worker: unmaps buffers that only the finished job had.
    #[inline]
    pub(crate) fn end_job(&mut self) {
        if let Some(things) = &mut self.things {
            things.descriptors.clear();
            things.received.clear();
        }
    }

    /// Unmaps buffers.
    pub(crate) fn evict(&mut self, ids: impl IntoIterator<Item = u64>) {
        if let Some(things) = &mut self.things {
            for id in ids {
                things.cached.remove(id);
            }
        }
    }

    /// For a worker: the buffers that its job refers to.
    pub(super) fn take_received(&mut self) -> Vec<(u64, SharedBuffer)> {
        self.things.as_mut().map(|things| std::mem::take(&mut things.received)).unwrap_or_default()
    }

    /// Runs `read` with these attachments available to what it deserialises, and then closes descriptors that it has
    /// not taken.
    pub(crate) fn while_receiving<T>(&mut self, read: impl FnOnce() -> T) -> T {
        let read = self.while_receiving_part(read);
        if let Some(things) = &mut self.things {
            things.close_rest();
        }
        read
    }

    /// The same for a part of the message: descriptors that it has not taken are for the others.
    #[inline]
    pub(crate) fn while_receiving_part<T>(&mut self, read: impl FnOnce() -> T) -> T {
        forget_reason();
        let back = RestoreOnDrop::new(&INCOMING, self);
        let read = read();
        back.end();
        read
    }

    fn things(&mut self) -> &mut Arrived {
        self.things.get_or_insert_default()
    }
}

impl Arrived {
    /// Closes descriptors that were not taken.
    fn close_rest(&mut self) {
        let rest = std::mem::take(&mut self.descriptors);
        if self.is_answer {
            discard(rest.into_iter().flatten());
        }
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.close_rest();
    }
}

impl Incoming {
    fn detach(&mut self, at: u32) -> io::Result<Gift> {
        let taken = self.things().descriptors.get_mut(at as usize).and_then(Option::take);
        taken.ok_or_else(|| {
            io::Error::other(
                "a descriptor did not arrive: this process may be at its limit (RLIMIT_NOFILE, `ulimit -n`)",
            )
        })
    }

    fn borrow(&mut self, reference: &Reference) -> io::Result<SharedBuffer> {
        let buffer = match reference.at {
            None => {
                let cached = self.things().cached.get(reference.id).cloned();
                cached.ok_or_else(|| io::Error::other("it refers to a shared buffer that was never sent"))?
            }
            Some(at) => {
                let fd = self.detach(at)?;
                let length = usize::try_from(reference.length).map_err(io::Error::other)?;
                let sealed = Sealed::open(fd, length).map_err(|e| not_mapped(length, e))?;
                let buffer = SharedBuffer::new(sealed);
                if reference.id != 0 {
                    self.things().cached.insert(reference.id, buffer.clone());
                }
                buffer
            }
        };
        if buffer.memory().bytes().len() as u64 != reference.length {
            return Err(io::Error::other("a shared buffer has another length than its message says"));
        }
        self.things().received.push((reference.id, buffer.clone()));
        Ok(buffer)
    }
}

/// Takes a descriptor from the message being read.
pub(crate) fn detach(at: u32) -> io::Result<Gift> {
    noted(reach(&INCOMING, |incoming| match incoming {
        Some(incoming) => incoming.detach(at),
        None => Err(io::Error::other(NOT_IN_A_CALL)),
    }))
}

/// The `max_message_size` of the context that the message being read is for, or from.
pub(crate) fn limit_of_incoming() -> usize {
    let limit =
        reach(&INCOMING, |incoming| incoming.and_then(|incoming| incoming.things.as_ref().map(|all| all.limit)));
    limit.filter(|limit| *limit > 0).unwrap_or_else(role::max_message_size)
}

/// The buffer that the message being read refers to.
pub(crate) fn borrow(reference: &Reference) -> io::Result<SharedBuffer> {
    noted(reach(&INCOMING, |incoming| match incoming {
        Some(incoming) => incoming.borrow(reference),
        None => Err(io::Error::other("a shared buffer of a call can only be read as part of its argument or result")),
    }))
}
