//! Memory that a parent and one worker both map: not on this system so far. All calls go over the stream.

use super::fork_registry::{TrackedFd, TrackedGift};
use super::gifts::Gift;
use crate::wire::shm::forgotten::Forgotten;
use crate::wire::shm::slot::{Futex, Slot};
use crate::wire::writer::Room;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// There is none.
#[derive(Debug)]
pub(crate) struct SharedMemory(Infallible);

/// There are none.
#[derive(Debug)]
pub(crate) struct Words(Infallible);

impl SharedMemory {
    pub(crate) fn create(_limit: usize) -> io::Result<(Self, TrackedGift)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn open(_: Gift) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn slot(&self) -> &Slot {
        match self.0 {}
    }

    pub(crate) fn words(&self) -> &Arc<Words> {
        match self.0 {}
    }

    pub(crate) fn most(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn copy_out(&mut self, _length: usize, _into: &mut Vec<u8>) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn data(&mut self, _length: usize) -> io::Result<*const [u8]> {
        match self.0 {}
    }

    pub(crate) fn unmap_excess(&mut self) {
        match self.0 {}
    }

    pub(crate) fn has_excess(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn give_back_unused(&mut self, _used: usize) {
        match self.0 {}
    }

    pub(crate) fn give_back_excess(&mut self, _is_suspect: bool) {
        match self.0 {}
    }
}

impl Room for SharedMemory {
    fn grow(&mut self, _used: usize, _needed: usize) -> io::Result<(*mut u8, usize)> {
        match self.0 {}
    }
}

impl Words {
    pub(crate) fn slot(&self) -> &Slot {
        match self.0 {}
    }

    pub(crate) fn forgotten(&self) -> &Forgotten {
        match self.0 {}
    }

    pub(crate) fn forget(&self, buffer: u64) {
        if self.forgotten().put(buffer) {
            self.slot().remind(&SharedFutex::ENDLESS);
        }
    }
}

/// A doorbell, which the worker would ring.
pub(crate) fn doorbell() -> io::Result<(TrackedFd, TrackedGift)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn silence(_: &TrackedFd) -> u64 {
    0
}

pub(crate) fn ring(_: &Gift) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// No process can wait for a word that another writes to.
pub(crate) struct SharedFutex(());

impl SharedFutex {
    pub(crate) const ENDLESS: Self = Self(());

    pub(crate) fn within(_patience: Option<Duration>) -> Self {
        Self(())
    }
}

impl Futex for SharedFutex {
    fn wait(&self, _word: &AtomicU32, _seen: u32) -> bool {
        false
    }

    fn wake(&self, _word: &AtomicU32) {}
}

/// Whether this process can wake by futex: no.
pub(crate) fn has_futexes() -> bool {
    false
}
