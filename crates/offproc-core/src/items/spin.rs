//! How long an end looks for news before it sleeps.

use crate::sys::clock::{self, Tick};
use std::time::{Duration, Instant};

/// How many looks come between two looks at the clock, and how many pauses before each.
const LOOKS: u32 = 4;
const PAUSES: u32 = 32;
/// The longest spin.
const MOST: Duration = Duration::from_micros(50);
const LEAST: Duration = Duration::from_micros(2);
/// A yield that takes this long has given the CPU to a task that computes.
const CONTENDED: Duration = Duration::from_micros(200);

/// How often an end that does not sleep looks whether the other end's process has ended.
#[derive(Debug)]
pub(super) struct Looked(Tick);

impl Looked {
    pub(super) fn new() -> Self {
        Self(clock::tick())
    }

    /// True once in each tick of the clock, which costs next to nothing to read.
    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        let now = clock::tick();
        std::mem::replace(&mut self.0, now) != now
    }
}

/// Spins for a while, which is longer where that has helped.
#[derive(Debug)]
pub(super) struct Spin {
    budget: Duration,
    /// How many waits go without a spin.
    skipped: u32,
    backoff: u32,
}

impl Spin {
    pub(super) const fn new() -> Self {
        Self { budget: LEAST, skipped: 0, backoff: 1 }
    }

    /// Looks until there is something, or it is time to sleep.
    pub(super) fn until(&mut self, mut look: impl FnMut() -> bool) -> bool {
        if self.skipped > 0 {
            self.skipped -= 1;
            return look();
        }
        let start = Instant::now();
        let mut spent = Duration::ZERO;
        loop {
            for _ in 0..LOOKS {
                // Not more often: each look takes the cache line away from the end that writes to it, whose next item
                // waits until it is back. So what comes meanwhile should be many items.
                for _ in 0..PAUSES {
                    std::hint::spin_loop();
                }
                if look() {
                    self.budget = (self.budget * 2).min(MOST);
                    self.backoff = 1;
                    return true;
                }
            }
            let now = start.elapsed();
            if now >= self.budget || now - spent > CONTENDED {
                self.budget = (self.budget / 2).max(LEAST);
                self.backoff = (self.backoff * 2).min(64);
                self.skipped = self.backoff;
                return false;
            }
            spent = now;
            // Both ends compute, and may be on one CPU. (A worker that waits for a job does not: `worker/spin.rs`.)
            std::thread::yield_now();
        }
    }
}
