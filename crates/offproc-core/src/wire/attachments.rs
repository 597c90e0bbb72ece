//! What goes with a message beside its bytes: descriptors, and references to memory that both sides have.
//!
//! A `Serialize` implementation has no way to a connection, so while a message is written or read, its attachments are
//! in a thread-local: [`Outgoing::while_sending`] and [`Incoming::while_receiving`] put them there.

use crate::shared_bytes::{Shared, SharedBytes};
use crate::sys::descriptors::Descriptor;
use crate::sys::sealed::Sealed;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Weak;

/// How many descriptors a message can have (Linux passes up to 253 at once).
pub(crate) const MOST: usize = 128;

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

/// What goes with a message, as its sender gathers it.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) descriptors: Vec<Descriptor>,
    /// Buffers that the receiver is to let go of.
    pub(crate) forget: Vec<u64>,
    /// Buffers that the message refers to.
    pub(crate) lent: Vec<(u64, SharedBytes)>,
    sharing: Sharing,
}

/// How buffers are sent.
#[derive(Debug, Default)]
enum Sharing {
    /// As plain bytes.
    #[default]
    Copy,
    /// By a parent, which knows what the worker has.
    Down(HashMap<u64, Weak<Shared>>),
    /// By a worker, to whom these came with the job.
    Up(Vec<(u64, SharedBytes)>),
}

/// What came with a message.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    pub(crate) descriptors: Vec<Option<OwnedFd>>,
    buffers: HashMap<u64, SharedBytes>,
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
        Self { sharing: Sharing::Down(HashMap::new()), ..Self::default() }
    }

    /// For a worker that shares memory with its parent.
    pub(crate) fn up(incoming: &mut Incoming) -> Self {
        Self { sharing: Sharing::Up(std::mem::take(&mut incoming.used)), ..Self::default() }
    }

    /// Runs `write` with these attachments in reach of what it serialises.
    pub(crate) fn while_sending<T>(&mut self, write: impl FnOnce() -> T) -> T {
        self.descriptors.clear();
        self.lent.clear();
        REASON.set(None);
        if let Sharing::Down(known) = &mut self.sharing
            && !known.is_empty()
        {
            let forget = &mut self.forget;
            let is_full = known.len() > KEPT;
            known.retain(|id, buffer| {
                let keep = !is_full && buffer.strong_count() > 0;
                if !keep {
                    forget.push(*id);
                }
                keep
            });
        }
        let _back = Back::new(&OUTGOING, self);
        write()
    }

    /// Nothing of it was sent after all.
    pub(crate) fn take_back(&mut self) {
        if let Sharing::Down(known) = &mut self.sharing {
            for (id, _) in &self.lent {
                known.remove(id);
                self.forget.push(*id);
            }
        }
        self.descriptors.clear();
        self.lent.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.descriptors.is_empty() && self.forget.is_empty()
    }
}

impl Incoming {
    /// For a parent: an answer may refer to what was lent with the job.
    pub(crate) fn answer(descriptors: Vec<OwnedFd>, lent: Vec<(u64, SharedBytes)>) -> Self {
        let mut incoming = Self { buffers: lent.into_iter().collect(), ..Self::default() };
        incoming.put(descriptors);
        incoming
    }

    /// For a worker: a job has come, with these.
    pub(crate) fn put(&mut self, descriptors: Vec<OwnedFd>) {
        self.descriptors.clear();
        self.descriptors.extend(descriptors.into_iter().map(Some));
        self.used.clear();
    }

    /// Lets go of buffers.
    pub(crate) fn forget(&mut self, ids: &[u64]) {
        for id in ids {
            self.buffers.remove(id);
        }
    }

    /// Runs `read` with these attachments in reach of what it deserialises; descriptors that it has not taken are
    /// closed after it.
    pub(crate) fn while_receiving<T>(&mut self, read: impl FnOnce() -> T) -> T {
        REASON.set(None);
        let read = {
            let _back = Back::new(&INCOMING, self);
            read()
        };
        self.descriptors.clear();
        read
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

/// The buffer that the message being read refers to.
pub(crate) fn borrow(reference: &Reference) -> Result<SharedBytes, String> {
    noted(INCOMING.with_borrow_mut(|incoming| match incoming {
        Some(incoming) => incoming.borrow(reference),
        None => Err("a shared buffer outside a call".to_owned()),
    }))
}

impl Outgoing {
    fn attach(&mut self, fd: BorrowedFd<'_>) -> Result<u32, String> {
        if self.descriptors.len() >= MOST {
            return Err(format!("a call, or an answer, can carry {MOST} descriptors"));
        }
        let fd = fd.try_clone_to_owned().map_err(|e| format!("a descriptor could not be duplicated: {e}"))?;
        self.descriptors.push(fd.into());
        #[allow(clippy::cast_possible_truncation, reason = "bounded just above")]
        Ok(self.descriptors.len() as u32 - 1)
    }

    fn lend(&mut self, bytes: &SharedBytes) -> Result<Option<Reference>, String> {
        let length = bytes.len() as u64;
        let (id, is_new) = match &mut self.sharing {
            Sharing::Copy => return Ok(None),
            Sharing::Down(known) => (bytes.id(), known.insert(bytes.id(), bytes.downgrade()).is_none()),
            Sharing::Up(came) => match came.iter().find(|(_, one)| one.is(bytes)) {
                Some((id, _)) => (*id, false),
                None => (0, true),
            },
        };
        self.lent.push((id, bytes.clone()));
        let at = if is_new { Some(self.attach(bytes.memory().descriptor().as_fd())?) } else { None };
        Ok(Some(Reference { id, length, at }))
    }
}

impl Incoming {
    fn detach(&mut self, at: u32) -> Result<OwnedFd, String> {
        let taken = self.descriptors.get_mut(at as usize).and_then(Option::take);
        taken.ok_or_else(|| "a descriptor did not arrive; this process may have too many open".to_owned())
    }

    fn borrow(&mut self, reference: &Reference) -> Result<SharedBytes, String> {
        let bytes = match reference.at {
            None => self.buffers.get(&reference.id).cloned().ok_or("a shared buffer that was never sent")?,
            Some(at) => {
                let fd = self.detach(at)?;
                let length = usize::try_from(reference.length).map_err(|e| e.to_string())?;
                let sealed = Sealed::open(fd, length).map_err(|e| format!("a shared buffer: {e}"))?;
                let bytes = SharedBytes::new(sealed);
                if reference.id != 0 {
                    self.buffers.insert(reference.id, bytes.clone());
                }
                bytes
            }
        };
        if bytes.len() as u64 != reference.length {
            return Err("a shared buffer of another length".to_owned());
        }
        self.used.push((reference.id, bytes.clone()));
        Ok(bytes)
    }
}
