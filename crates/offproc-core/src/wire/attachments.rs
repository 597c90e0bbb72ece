//! What goes with a message beside its bytes: descriptors, and references to memory that both sides have.
//!
//! A `Serialize` implementation has no way to a connection, so while a message is written or read, its attachments are
//! in a thread-local: [`Outgoing::while_sending`] and [`Incoming::while_receiving`] put them there.

use crate::shared_bytes::{Shared, SharedBytes};
use crate::sys::descriptors::{Descriptor, close_elsewhere};
use crate::sys::sealed::Sealed;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Weak;

/// How many descriptors a message can have.
pub(crate) const MOST: usize = 128;

/// How many descriptors Linux passes at once. What the receiver has no space for, it closes there and then.
pub(crate) const MOST_AT_ONCE: usize = 253;

/// How many buffers of its parent a worker keeps mapped.
const KEPT: usize = 64;

/// A buffer that both sides have, or that comes with the message.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Reference {
    /// Its name, given by the parent; 0 for one that the worker has made.
    id: u64,
    length: u64,
    /// Which of the descriptors it is, if it is new to the other side.
    at: Option<u32>,
}

/// What goes with a message, as its sender gathers it. Small, as most messages have nothing.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    sharing: Sharing,
    things: Option<Box<Sent>>,
}

/// How buffers are sent.
#[derive(Clone, Copy, Debug, Default)]
enum Sharing {
    /// As plain bytes.
    #[default]
    Copy,
    /// By a parent, which knows what the worker has.
    Down,
    /// By a worker.
    Up,
}

#[derive(Debug, Default)]
struct Sent {
    descriptors: Vec<Descriptor>,
    /// Buffers that the receiver is to let go of.
    forget: Vec<u64>,
    /// Buffers that the message refers to.
    lent: Vec<(u64, SharedBytes)>,
    /// What the worker has, as its parent knows.
    known: BTreeMap<u64, Weak<Shared>>,
    /// What came to a worker with its job.
    came: Vec<(u64, SharedBytes)>,
}

/// What came with a message. Small, as most messages have nothing.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    things: Option<Box<Received>>,
}

#[derive(Debug, Default)]
struct Received {
    descriptors: Vec<Option<OwnedFd>>,
    /// Whether they are from a worker.
    is_answer: bool,
    buffers: BTreeMap<u64, SharedBytes>,
    /// Which of the buffers this message refers to.
    used: Vec<(u64, SharedBytes)>,
}

thread_local! {
    /// What went wrong last, as postcard forgets the words of an error.
    static REASON: RefCell<Option<String>> = const { RefCell::new(None) };
    static OUTGOING: RefCell<Option<Outgoing>> = const { RefCell::new(None) };
    static INCOMING: RefCell<Option<Incoming>> = const { RefCell::new(None) };
}

impl Outgoing {
    /// For a parent whose worker shares memory with it.
    pub(crate) fn down() -> Self {
        Self { sharing: Sharing::Down, things: None }
    }

    /// For a worker that shares memory with its parent.
    pub(crate) fn up(incoming: &mut Incoming) -> Self {
        let came = incoming.things.as_mut().map(|things| std::mem::take(&mut things.used)).unwrap_or_default();
        let things = if came.is_empty() { None } else { Some(Box::new(Sent { came, ..Sent::default() })) };
        Self { sharing: Sharing::Up, things }
    }

    /// Runs `write` with these attachments in reach of what it serialises.
    pub(crate) fn while_sending<T>(&mut self, write: impl FnOnce() -> T) -> T {
        if let Some(things) = &mut self.things {
            things.prepare();
        }
        forget_reason();
        let _back = Back::new(&OUTGOING, self);
        write()
    }

    /// Nothing of it was sent after all.
    pub(crate) fn take_back(&mut self) {
        if let Some(things) = &mut self.things {
            for (id, _) in things.lent.drain(..) {
                if things.known.remove(&id).is_some() {
                    things.forget.push(id);
                }
            }
            things.descriptors.clear();
        }
    }

    /// It was sent.
    pub(crate) fn is_sent(&mut self) {
        if let Some(things) = &mut self.things {
            things.descriptors.clear();
            things.forget.clear();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.things.as_ref().is_none_or(|things| things.descriptors.is_empty() && things.forget.is_empty())
    }

    pub(crate) fn descriptors(&self) -> &[Descriptor] {
        self.things.as_ref().map_or(&[], |things| &things.descriptors)
    }

    pub(crate) fn take_descriptors(&mut self) -> Vec<Descriptor> {
        self.things.as_mut().map(|things| std::mem::take(&mut things.descriptors)).unwrap_or_default()
    }

    /// The buffers that the receiver is to let go of.
    pub(crate) fn forget(&self) -> &[u64] {
        self.things.as_ref().map_or(&[], |things| &things.forget)
    }

    /// The buffers that the message refers to: its answer may do so too.
    pub(crate) fn take_lent(&mut self) -> Vec<(u64, SharedBytes)> {
        self.things.as_mut().map(|things| std::mem::take(&mut things.lent)).unwrap_or_default()
    }

    fn things(&mut self) -> &mut Sent {
        self.things.get_or_insert_default()
    }
}

impl Sent {
    /// Before the next message.
    fn prepare(&mut self) {
        self.descriptors.clear();
        self.lent.clear();
        let is_full = self.known.len() > KEPT;
        let forget = &mut self.forget;
        self.known.retain(|id, buffer| {
            let keep = !is_full && buffer.strong_count() > 0;
            if !keep {
                forget.push(*id);
            }
            keep
        });
    }
}

impl Incoming {
    /// For a parent: an answer may refer to what was lent with the job.
    pub(crate) fn answer(descriptors: Vec<OwnedFd>, lent: Vec<(u64, SharedBytes)>) -> Self {
        let mut incoming = Self::default();
        if !lent.is_empty() {
            incoming.things().buffers = lent.into_iter().collect();
        }
        if !descriptors.is_empty() {
            incoming.things().is_answer = true;
        }
        incoming.put(descriptors);
        incoming
    }

    /// For a worker: a job has come, with these.
    pub(crate) fn put(&mut self, descriptors: Vec<OwnedFd>) {
        if let Some(things) = &mut self.things {
            things.descriptors.clear();
            things.used.clear();
        }
        if !descriptors.is_empty() {
            self.things().descriptors.extend(descriptors.into_iter().map(Some));
        }
    }

    /// Lets go of buffers.
    pub(crate) fn forget(&mut self, ids: &[u64]) {
        if let Some(things) = &mut self.things {
            for id in ids {
                things.buffers.remove(id);
            }
        }
    }

    /// Runs `read` with these attachments in reach of what it deserialises; descriptors that it has not taken are
    /// closed after it.
    pub(crate) fn while_receiving<T>(&mut self, read: impl FnOnce() -> T) -> T {
        forget_reason();
        let read = {
            let _back = Back::new(&INCOMING, self);
            read()
        };
        if let Some(things) = &mut self.things {
            things.close_rest();
        }
        read
    }

    fn things(&mut self) -> &mut Received {
        self.things.get_or_insert_default()
    }
}

impl Received {
    /// Closes what nobody has taken.
    fn close_rest(&mut self) {
        let rest = std::mem::take(&mut self.descriptors);
        if self.is_answer && rest.iter().any(Option::is_some) {
            close_elsewhere(rest);
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.close_rest();
    }
}

/// Puts a value into a thread-local, and back when dropped, also by a panic.
struct Back<'a, T: Default + 'static> {
    place: &'static std::thread::LocalKey<RefCell<Option<T>>>,
    owner: &'a mut T,
    before: Option<T>,
}

impl<'a, T: Default> Back<'a, T> {
    fn new(place: &'static std::thread::LocalKey<RefCell<Option<T>>>, owner: &'a mut T) -> Self {
        let before = place.replace(Some(std::mem::take(owner)));
        Self { place, owner, before }
    }
}

impl<T: Default> Drop for Back<'_, T> {
    fn drop(&mut self) {
        *self.owner = self.place.replace(self.before.take()).unwrap_or_default();
    }
}

/// True while a message of a call is written on this thread.
pub(crate) fn is_sending() -> bool {
    OUTGOING.with_borrow(Option::is_some)
}

/// True while a message of a call is read on this thread.
pub(crate) fn is_receiving() -> bool {
    INCOMING.with_borrow(Option::is_some)
}

/// Attaches a duplicate of a descriptor to the message being written; its number there.
pub(crate) fn attach(fd: BorrowedFd<'_>) -> Result<u32, String> {
    noted(OUTGOING.with_borrow_mut(|outgoing| match outgoing {
        Some(outgoing) => outgoing.attach(fd),
        None => Err("a descriptor can only be serialised as an argument or a result of a call".to_owned()),
    }))
}

/// What went wrong with the attachments of the message just written or read, if anything.
pub(crate) fn take_reason() -> Option<String> {
    REASON.take()
}

/// Before a message is written or read whose errors are of interest.
fn forget_reason() {
    if REASON.with_borrow(Option::is_some) {
        REASON.set(None);
    }
}

/// Notes what went wrong.
pub(crate) fn note(reason: &str) {
    REASON.set(Some(reason.to_owned()));
}

fn noted<T>(result: Result<T, String>) -> Result<T, String> {
    result.inspect_err(|reason| REASON.set(Some(reason.clone())))
}

/// Takes a descriptor from the message being read.
pub(crate) fn detach(at: u32) -> Result<OwnedFd, String> {
    noted(INCOMING.with_borrow_mut(|incoming| match incoming {
        Some(incoming) => incoming.detach(at),
        None => Err("a descriptor can only be deserialised as an argument or a result of a call".to_owned()),
    }))
}

/// A reference to a buffer for the message being written; `None`: it is to be copied.
pub(crate) fn lend(bytes: &SharedBytes) -> Result<Option<Reference>, String> {
    noted(OUTGOING.with_borrow_mut(|outgoing| outgoing.as_mut().map_or(Ok(None), |outgoing| outgoing.lend(bytes))))
}

/// A buffer that was sent as plain bytes.
pub(crate) fn receive_copy(bytes: &[u8]) -> Result<SharedBytes, String> {
    noted(SharedBytes::copy_from_slice(bytes).map_err(|e| format!("there is no memory for a shared buffer: {e}")))
}

/// The buffer that the message being read refers to.
pub(crate) fn borrow(reference: &Reference) -> Result<SharedBytes, String> {
    noted(INCOMING.with_borrow_mut(|incoming| match incoming {
        Some(incoming) => incoming.borrow(reference),
        None => Err("a shared buffer outside a call".to_owned()),
    }))
}

impl Outgoing {
    fn attach(&mut self, fd: BorrowedFd<'_>) -> Result<u32, String> {
        let descriptors = &mut self.things().descriptors;
        if descriptors.len() >= MOST {
            return Err(format!("a call, or an answer, can carry {MOST} descriptors"));
        }
        let fd = fd.try_clone_to_owned().map_err(|e| format!("a descriptor could not be duplicated: {e}"))?;
        descriptors.push(fd.into());
        #[allow(clippy::cast_possible_truncation, reason = "bounded just above")]
        Ok(descriptors.len() as u32 - 1)
    }

    fn lend(&mut self, bytes: &SharedBytes) -> Result<Option<Reference>, String> {
        let length = bytes.len() as u64;
        let (id, is_new) = match self.sharing {
            Sharing::Copy => return Ok(None),
            Sharing::Down => (bytes.id(), self.things().known.insert(bytes.id(), bytes.downgrade()).is_none()),
            Sharing::Up => match self.things().came.iter().find(|(_, one)| one.is(bytes)) {
                Some((id, _)) => (*id, false),
                None => (0, true),
            },
        };
        self.things().lent.push((id, bytes.clone()));
        let at = if is_new { Some(self.attach(bytes.memory().descriptor().as_fd())?) } else { None };
        Ok(Some(Reference { id, length, at }))
    }
}

impl Incoming {
    fn detach(&mut self, at: u32) -> Result<OwnedFd, String> {
        let taken = self.things().descriptors.get_mut(at as usize).and_then(Option::take);
        taken.ok_or_else(|| "a descriptor did not arrive; this process may have too many open".to_owned())
    }

    fn borrow(&mut self, reference: &Reference) -> Result<SharedBytes, String> {
        let bytes = match reference.at {
            None => self.things().buffers.get(&reference.id).cloned().ok_or("a shared buffer that was never sent")?,
            Some(at) => {
                let fd = self.detach(at)?;
                let length = usize::try_from(reference.length).map_err(|e| e.to_string())?;
                let sealed = Sealed::open(fd, length).map_err(|e| format!("a shared buffer: {e}"))?;
                let bytes = SharedBytes::new(sealed);
                if reference.id != 0 {
                    self.things().buffers.insert(reference.id, bytes.clone());
                }
                bytes
            }
        };
        if bytes.len() as u64 != reference.length {
            return Err("a shared buffer of another length".to_owned());
        }
        self.things().used.push((reference.id, bytes.clone()));
        Ok(bytes)
    }
}
