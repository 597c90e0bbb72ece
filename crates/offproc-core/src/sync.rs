//! The types that the models in `tests/models/shared-memory` and `tests/models/process` replace.

pub(crate) use atomic_waker::AtomicWaker;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

#[cfg(test)]
pub(crate) use std::sync::Condvar;

/// How tests run races: here some times, as they happen to go.
#[cfg(test)]
pub(crate) mod race {
    pub(crate) use futures_lite::future::block_on;
    pub(crate) use std::thread::{JoinHandle, spawn};

    pub(crate) fn explore(race: impl Fn()) {
        (0..100).for_each(|_| race());
    }

    /// A race that waits for time to pass.
    pub(crate) fn explore_slow(race: impl Fn()) {
        race();
    }

    /// It does so by itself.
    pub(crate) fn let_time_pass() {}
}
