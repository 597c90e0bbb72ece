//! Nothing goes with jobs and answers. What a worker is to let go of is counted.

use crate::kernel::Shared;
use crate::sys::fork_registry::TrackedFd;
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct Outgoing;

/// Shared memory that a job refers to.
pub(crate) struct SentBuffer;

impl SentBuffer {
    pub(crate) fn is_held_by(&self, _words: &Arc<Shared>) {}
}

impl Outgoing {
    pub(crate) fn down() -> Self {
        Self
    }

    pub(crate) fn up(_incoming: &mut Incoming) -> Self {
        Self
    }

    pub(crate) fn while_sending<T>(&mut self, write: impl FnOnce() -> T) -> T {
        write()
    }

    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    pub(crate) fn set_limit(&mut self, _limit: usize) {}

    pub(crate) fn limit(&self) -> usize {
        usize::MAX
    }

    pub(crate) fn take_back(&mut self) {}

    pub(crate) fn is_in_doubt(&mut self) {}

    pub(crate) fn ends_stay(&mut self) {}

    pub(crate) fn ends_depart(&mut self, _has_died: impl FnOnce() -> Box<dyn Fn() -> bool>) {}

    pub(crate) fn is_sent(&mut self) {}

    pub(crate) fn evicted(&self) -> &[u64] {
        &[]
    }

    pub(crate) fn descriptors(&self) -> &[TrackedFd] {
        &[]
    }

    pub(crate) fn sent(&self) -> impl Iterator<Item = &SentBuffer> {
        std::iter::empty()
    }

    pub(crate) fn take_sent(&mut self) -> Vec<SentBuffer> {
        Vec::new()
    }
}

thread_local! {
    // All threads of a model are one thread of the test.
    static HAS_ENOUGH: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// How much it was to forget.
    pub(crate) forgot: u32,
    enough: Option<u32>,
}

impl Incoming {
    /// The worker's time is up when it was to forget so much.
    pub(crate) fn until(&mut self, enough: u32) {
        HAS_ENOUGH.set(false);
        self.enough = Some(enough);
    }

    pub(crate) fn has_enough() -> bool {
        HAS_ENOUGH.get()
    }

    pub(crate) fn answer(_descriptors: Vec<OwnedFd>, _sent: Vec<SentBuffer>, _limit: usize) -> Self {
        Self::default()
    }

    pub(crate) fn put(&mut self, _descriptors: Vec<OwnedFd>) {}

    pub(crate) fn evict(&mut self, count: u32) {
        self.forgot += count;
        if self.enough.is_some_and(|enough| self.forgot >= enough) {
            HAS_ENOUGH.set(true);
            Shared::current().futex.end_time();
        }
    }
}
