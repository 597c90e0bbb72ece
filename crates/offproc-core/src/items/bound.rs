//! How many bytes an item may have: what takes memory in a process must not be another's choice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit of one end; shared by the two ends of a channel that were made in this process, as one learns from the
/// call that the other goes with.
#[derive(Clone, Debug)]
pub(super) struct Bound(Arc<AtomicU64>);

impl Bound {
    /// Both ends are in this process.
    pub(super) fn none() -> Self {
        Self::of(usize::MAX)
    }

    /// Of an end that has come with a call with this `max_message_size`.
    pub(super) fn of(limit: usize) -> Self {
        Self(Arc::new(AtomicU64::new(limit as u64)))
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// An end goes with a call with this `max_message_size`.
    pub(super) fn set(&self, limit: usize) {
        self.0.store(limit as u64, Ordering::Relaxed);
    }
}
