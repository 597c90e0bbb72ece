//! The memory, as one side maps it.

use super::fork_registry::TrackedFd;
use crate::kernel::Shared;
use crate::sync::AtomicU32;
use crate::wire::shm::slot::{Futex, Slot};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct SharedMemory(pub(crate) Arc<Shared>);

impl SharedMemory {
    pub(crate) fn slot(&self) -> &Slot {
        &self.0.slot
    }

    pub(crate) fn words(&self) -> &Arc<Shared> {
        &self.0
    }

    pub(crate) fn most(&self) -> usize {
        usize::MAX
    }

    pub(crate) fn copy_out(&mut self, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        assert_eq!(length, 1, "every answer has one byte");
        // SAFETY: loom checks that no thread changes it.
        into.push(self.0.data.with(|data| unsafe { *data }));
        Ok(())
    }

    /// The worker reads the job here and now.
    pub(crate) fn data(&mut self, length: usize) -> io::Result<*const [u8]> {
        assert_eq!(length, 1, "every job has one byte");
        Ok(self.0.data.with(|data| std::ptr::slice_from_raw_parts(data, 1)))
    }

    pub(crate) fn unmap_excess(&mut self) {}

    pub(crate) fn has_excess(&self) -> bool {
        false
    }

    pub(crate) fn give_back_unused(&mut self, _used: usize) {}

    pub(crate) fn give_back_excess(&mut self, _is_suspect: bool) {}
}

/// What `Words::forgotten` gives.
impl Shared {
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(crate) fn forgotten(&self) -> Forgotten<'_> {
        Forgotten(self)
    }
}

pub(crate) struct Forgotten<'a>(&'a Shared);

impl Forgotten<'_> {
    pub(crate) fn take(&self) -> u32 {
        self.0.take_forgotten()
    }
}

#[derive(Debug)]
pub(crate) struct SharedFutex;

impl SharedFutex {
    pub(crate) const ENDLESS: Self = Self;

    /// When the time is up is the model's say.
    pub(crate) fn within(_patience: Option<Duration>) -> Self {
        Self
    }
}

impl Futex for SharedFutex {
    fn wait(&self, word: &AtomicU32, seen: u32) -> bool {
        Shared::current().futex.wait(word, seen)
    }

    fn wake(&self, word: &AtomicU32) {
        Shared::current().futex.wake(word);
    }
}

pub(crate) fn ring(_bell: &OwnedFd) -> io::Result<()> {
    Shared::current().doorbell.ring();
    Ok(())
}

pub(crate) fn silence(_bell: &TrackedFd) {
    Shared::current().doorbell.silence();
}
