//! The hard limits of the job that runs, as its worker measures them.

use crate::sys::clock;
use crate::sys::usage::{own_cpu_time, own_resident_memory};
use crate::wire::link::{HardLimits, Overuse};
use std::time::Duration;

/// The limits of the next job, and of the one that runs.
#[derive(Debug, Default)]
pub(super) struct HardLimiter {
    next: Option<HardLimits>,
    current: Option<Measured>,
}

#[derive(Debug)]
struct Measured {
    limits: HardLimits,
    since: Duration,
    cpu_before: Duration,
}

impl HardLimiter {
    /// How often to look.
    pub(super) const SOON: Duration = Duration::from_millis(2);

    pub(super) fn limit_next(&mut self, limits: HardLimits) {
        self.next = Some(limits);
    }

    pub(super) fn begin(&mut self) {
        self.current = self.next.take().map(|limits| {
            let cpu_before = if limits.cpu.is_some() { own_cpu_time() } else { Duration::ZERO };
            Measured { limits, since: clock::now(), cpu_before }
        });
    }

    pub(super) fn end(&mut self) {
        self.current = None;
    }

    /// How soon to look again, or what has passed its limit; `None`: there is no limit.
    pub(super) fn look(&self) -> Option<Result<Duration, Overuse>> {
        match &self.current {
            Some(measured) => Some(measured.look().map_or(Ok(Self::SOON), Err)),
            None => self.next.map(|_| Ok(Self::SOON)),
        }
    }
}

impl Measured {
    fn look(&self) -> Option<Overuse> {
        if self.limits.time.is_some_and(|limit| clock::now().saturating_sub(self.since) >= limit) {
            return Some(Overuse::Time);
        }
        if let Some(limit) = self.limits.cpu {
            let used = own_cpu_time().saturating_sub(self.cpu_before);
            if used >= limit {
                return Some(Overuse::Cpu { limit, used });
            }
        }
        if let Some(limit) = self.limits.memory {
            let used = own_resident_memory();
            if used > limit {
                return Some(Overuse::Memory { limit, used });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_job_that_was_sent_with_them() {
        let mut limiter = HardLimiter::default();
        assert!(limiter.look().is_none());
        limiter.limit_next(HardLimits { time: Some(Duration::ZERO), ..HardLimits::default() });
        assert!(matches!(limiter.look(), Some(Ok(_))), "it has not begun");
        limiter.begin();
        assert_eq!(limiter.look(), Some(Err(Overuse::Time)));
        limiter.end();
        assert!(limiter.look().is_none());
        limiter.begin();
        assert!(limiter.look().is_none(), "another job");
        limiter.limit_next(HardLimits { memory: Some(1), ..HardLimits::default() });
        limiter.begin();
        assert!(matches!(limiter.look(), Some(Err(Overuse::Memory { limit: 1, .. }))));
        limiter.limit_next(HardLimits { time: Some(Duration::MAX), cpu: Some(Duration::MAX), memory: None });
        limiter.begin();
        assert!(matches!(limiter.look(), Some(Ok(_))), "it is within them");
    }
}
