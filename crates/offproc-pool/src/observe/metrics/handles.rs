//! Handles of a recorder. They are kept only for the global recorder, as no other can be recognized later as the one
//! that made a handle.

use super::describe::describe;
use metrics::{Counter, Gauge, Histogram, Recorder, with_recorder};
use offproc_core::{CallOutcome, spawn_background};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Each is made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Handles {
    pub(super) calls: [OnceLock<Counter>; CallOutcome::ALL.len()],
    pub(super) starts: OnceLock<Counter>,
    pub(super) ends: [OnceLock<Counter>; 5],
    pub(super) queue_length: OnceLock<Gauge>,
    pub(super) workers: [OnceLock<Gauge>; 3],
    pub(super) queue_seconds: OnceLock<Histogram>,
    pub(super) run_seconds: OnceLock<Histogram>,
}

impl Handles {
    /// Calls `f` with the recorder of the calling thread and handles of it: these, if it is the global one. Where that
    /// was not known before, the background thread calls `recognized` once it is.
    pub(super) fn with(&self, recognized: fn(), f: impl FnOnce(&dyn Recorder, &Self)) {
        with_recorder(|recorder| {
            let address = address(recorder);
            if address != 0 && address == GLOBAL.load(Ordering::Relaxed) {
                return f(recorder, self);
            }
            if address != 0 && SEEN.swap(address, Ordering::Relaxed) != address {
                describe(recorder);
                spawn_background(async move {
                    with_recorder(|global| GLOBAL.store(self::address(global), Ordering::Relaxed));
                    recognized();
                });
            }
            f(recorder, &Self::default());
        });
    }
}

/// The recorder that the background thread has: the global one, as it has none of its own. Once there is one, it stays
/// for good, and so does its address.
static GLOBAL: AtomicUsize = AtomicUsize::new(0);

/// The last recorder that was not known to be the global one.
static SEEN: AtomicUsize = AtomicUsize::new(0);

/// 0 for a recorder without an address of its own, such as the one that `metrics` uses where none is installed.
fn address(recorder: &dyn Recorder) -> usize {
    if size_of_val(recorder) == 0 { 0 } else { std::ptr::from_ref(recorder).cast::<()>().addr() }
}
