//! The worker spins before it sleeps. The page on sleeping and waking, in `wire/shm/README.md`, has its states.

use std::time::{Duration, Instant};

/// Spins for the next job for a while before the worker sleeps, and adapts its budget to whether spins have been
/// successful. It does not yield: since Linux 6.17 that gives away the rest of the time slice, and a worker whose CPU
/// others want would have it back milliseconds later, job or not.
#[derive(Debug)]
pub(super) struct WorkerSpin {
    max_spin: Duration,
    budget: Duration,
    // When the last unsuccessful spin began.
    unsuccessful: Option<Instant>,
    // When it last lost its CPU to another task, and how long it does not spin since then (the backoff).
    contended_at: Instant,
    backoff: Duration,
    jobs_since: u32,
}

impl WorkerSpin {
    const LEAST: Duration = Duration::from_micros(1);
    /// A gap of this length between two looks at the clock: another task has computed on this CPU, which is contended.
    /// A worker that sleeps would get it back sooner, as a job wakes it.
    const CONTENDED: Duration = Duration::from_micros(200);
    /// The backoff after that; it doubles each time.
    const LEAST_BACKOFF: Duration = Duration::from_millis(4);
    const MOST_BACKOFF: Duration = Duration::from_millis(256);
    /// So many jobs found without such a loss halve the backoff; below the least, the CPU is no longer contended.
    const QUIET: u32 = 512;
    /// The CPU is also no longer contended after this time without a loss.
    const FORGOTTEN: Duration = Duration::from_secs(1);

    /// After this part of the longest spin, the worker is idle.
    const IDLE: u32 = 4;

    pub(super) fn new(max_spin: Duration) -> Self {
        Self {
            max_spin,
            budget: max_spin,
            unsuccessful: None,
            contended_at: Instant::now(),
            backoff: Duration::ZERO,
            jobs_since: 0,
        }
    }

    /// Spins until `look` finds something. Calls `is_idle` once, when it has spun for a while.
    pub(super) fn until<T>(&mut self, mut look: impl FnMut() -> Option<T>, is_idle: impl Fn()) -> Option<T> {
        if let Some(found) = look() {
            return Some(found);
        }
        if self.max_spin.is_zero() {
            return None; // without reading the clock
        }
        let start = Instant::now();
        self.unsuccessful = Some(start);
        if self.is_contended() {
            let ago = start - self.contended_at;
            if ago < self.backoff {
                return None;
            }
            if ago > Self::FORGOTTEN {
                self.backoff = Duration::ZERO;
            }
        }
        let idle = self.max_spin / Self::IDLE;
        let mut spent = Duration::ZERO;
        loop {
            for _ in 0..64 {
                std::hint::spin_loop();
                if let Some(found) = look() {
                    self.grow();
                    self.found();
                    return Some(found);
                }
            }
            let now = start.elapsed();
            if now - spent > Self::CONTENDED {
                self.contended();
                return None;
            }
            if now >= idle && spent < idle {
                is_idle();
            }
            spent = now;
            if spent >= self.budget {
                self.budget = (self.budget / 2).max(Self::LEAST).min(self.max_spin);
                return None;
            }
        }
    }

    /// A job came after an unsuccessful spin. If a longer spin would have found it, the next one is longer: otherwise
    /// two sides that both sleep, and so take long to wake, would never learn that neither needs to.
    pub(super) fn woken(&mut self) {
        if self.unsuccessful.take().is_some_and(|began| began.elapsed() < self.max_spin) {
            self.grow();
        }
    }

    fn grow(&mut self) {
        self.budget = self.budget.saturating_mul(2).min(self.max_spin);
    }

    /// True if the CPU on which it spun was contended lately.
    pub(super) fn is_contended(&self) -> bool {
        !self.backoff.is_zero()
    }

    fn found(&mut self) {
        self.jobs_since += 1;
        if self.jobs_since >= Self::QUIET {
            self.jobs_since = 0;
            self.backoff = Some(self.backoff / 2).filter(|backoff| *backoff >= Self::LEAST_BACKOFF).unwrap_or_default();
        }
    }

    fn contended(&mut self) {
        self.jobs_since = 0;
        self.backoff = (self.backoff * 2).clamp(Self::LEAST_BACKOFF, Self::MOST_BACKOFF);
        self.contended_at = Instant::now();
    }
}

#[cfg(test)]
mod tests;
