//! Loom's locks and atomics.
//!
//! Loom takes a `SeqCst` access for an `AcqRel` one. That is weaker than the real thing, so what holds here holds
//! there; its fences are exact.

use std::sync;
use std::task::Waker;

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

/// A value that others see only once they see that it is there.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: sync::OnceLock<T>,
    is_set: AtomicBool,
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: sync::OnceLock::new(), is_set: AtomicBool::new(false) }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }
}

/// Registering and waking, one after the other.
#[derive(Debug)]
pub(crate) struct AtomicWaker(Mutex<Option<Waker>>);

impl AtomicWaker {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn register(&self, waker: &Waker) {
        *self.0.lock().unwrap() = Some(waker.clone());
    }

    pub(crate) fn wake(&self) {
        let waker = self.0.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

pub(crate) mod race {
    use crate::parent::timer::stop_time;

    pub(crate) use crate::parent::timer::let_time_pass;
    pub(crate) use loom::future::block_on;
    pub(crate) use loom::thread::{JoinHandle, spawn};

    /// Explores with at most three preemptions (or `LOOM_MAX_PREEMPTIONS`), which keeps all models within some seconds.
    pub(crate) fn explore(race: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound.get_or_insert(3);
        builder.check(move || {
            stop_time();
            race();
            // What waits with a time limit ends.
            let_time_pass();
        });
    }

    pub(crate) use explore as explore_slow;
}
