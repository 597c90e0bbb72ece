//! The caller spins before it parks.

use std::time::{Duration, Instant};

/// A spin for the answer before the caller parks. It pays only if recent jobs were that short, and it adapts: each
/// unsuccessful spin doubles the number of calls that skip it (the backoff).
///
/// If both sides sleep, waking them can take longer than either spins, and neither would ever learn that the other is
/// fast. So spins that have become rare are long: one that is successful keeps both sides awake from then on. Not on a
/// contended CPU: a task that uses its CPU for longer waits longer for the next time slice.
///
/// Nor are they short where the job or the answer before was large: the worker copies both.
#[derive(Debug)]
pub(super) struct CallerSpin {
    is_on: bool,
    is_due: bool,
    failures: u32,
    backoff: u32,
}

impl CallerSpin {
    const SHORT: Duration = Duration::from_micros(2);
    const LONG: Duration = Duration::from_micros(100);
    /// How many bytes a worker copies in a nanosecond, at least: into memory that it has used before.
    const PACE: u64 = 4;
    /// The longest spin for the sake of a large job. Parking costs little in comparison with copies that take longer.
    const LARGE: Duration = Duration::from_micros(500);
    /// After so many unsuccessful ones, spins are long: one in 64 calls, and in the end one in 512.
    const RARE: u32 = 6;
    const RAREST: u32 = 9;

    /// `is_on`: whether to spin at all.
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, is_due: false, failures: 0, backoff: 0 }
    }

    /// A job was handed over.
    pub(super) fn begin(&mut self) {
        self.is_due = true;
    }

    /// Spins until the answer `is_there`, for a job and an answer of about so many bytes.
    #[inline]
    pub(super) fn until(&mut self, contended: bool, bytes: impl Fn() -> u64, is_there: impl Fn() -> bool) {
        if !self.is_on || !std::mem::take(&mut self.is_due) || is_there() {
            return;
        }
        self.spin(contended, bytes, is_there);
    }

    #[inline(never)]
    fn spin(&mut self, contended: bool, bytes: impl Fn() -> u64, is_there: impl Fn() -> bool) {
        if self.backoff > 0 {
            self.backoff -= 1;
            return;
        }
        let most = match (contended, self.failures >= Self::RARE) {
            (true, _) => Self::SHORT,
            (false, is_rare) => {
                let copies = Duration::from_nanos(bytes() / Self::PACE).min(Self::LARGE);
                copies + if is_rare { Self::LONG } else { Self::SHORT }
            }
        };
        let start = Instant::now();
        loop {
            for _ in 0..16 {
                std::hint::spin_loop();
                if is_there() {
                    self.failures = 0;
                    return;
                }
            }
            if start.elapsed() >= most {
                self.failures = (self.failures + 1).min(Self::RAREST);
                self.backoff = 1 << self.failures;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_look_sees_what_short_ones_never_would() {
        let mut spin = CallerSpin::new(true);
        let seen = (0..200).any(|_| {
            let posted = Instant::now();
            spin.begin();
            spin.until(false, || 0, || posted.elapsed() > CallerSpin::SHORT * 10);
            spin.failures == 0
        });
        assert!(seen);
    }

    #[test]
    fn a_large_job_is_given_the_time_to_be_copied() {
        let mut spin = CallerSpin::new(true);
        let posted = Instant::now();
        spin.begin();
        spin.until(false, || 1 << 30, || posted.elapsed() > CallerSpin::SHORT * 10);
        assert_eq!(spin.failures, 0);
    }
}
