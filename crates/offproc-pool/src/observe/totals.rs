use crate::context::Statistics;
use std::sync::atomic::{AtomicU64, Ordering};

/// The totals of a context since it was opened.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) calls: Total,
    pub(super) panicked: Total,
    pub(super) timed_out: Total,
    pub(super) overloaded: Total,
    pub(super) started: Total,
    pub(super) retired: Total,
    pub(super) crashed: Total,
    pub(super) killed: Total,
    pub(super) failed_starts: Total,
    pub(super) states_built: Total,
}

impl Totals {
    /// Parts are read before their whole, which is counted before them: no snapshot has more of them.
    pub(super) fn with(&self, gauges: Statistics) -> Statistics {
        Statistics {
            panicked: self.panicked.get(),
            timed_out: self.timed_out.get(),
            overloaded: self.overloaded.get(),
            calls: self.calls.get(),
            retired: self.retired.get(),
            crashed: self.crashed.get(),
            killed: self.killed.get(),
            started: self.started.get(),
            failed_starts: self.failed_starts.get(),
            states_built: self.states_built.get(),
            ..gauges
        }
    }
}

/// A count. Who reads that of a part, and then that of its whole, finds in the latter all that was counted before.
#[derive(Debug, Default)]
pub(super) struct Total(AtomicU64);

impl Total {
    #[inline]
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
