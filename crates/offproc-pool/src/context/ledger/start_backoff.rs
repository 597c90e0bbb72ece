//! The growing pause between starts that fail in a row.

use std::time::{Duration, Instant};

/// When the next worker may start. The first failure may be chance; from the second one on, each doubles the pause, up
/// to a second. A start that succeeds ends it.
#[derive(Debug, Default)]
pub(crate) struct StartBackoff {
    failures: u32,
    next_start: Option<Instant>,
}

impl StartBackoff {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    pub(crate) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if let Some(doublings) = self.failures.checked_sub(2) {
            self.next_start = Some(now + (Self::FIRST * (1 << doublings.min(7))).min(Self::LONGEST));
        }
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// No worker starts before that.
    pub(crate) fn next_start(&self) -> Option<Instant> {
        self.next_start
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_are_forgotten() {
        let (mut backoff, now) = (StartBackoff::default(), Instant::now());
        for _ in 0..2 {
            let pauses = [0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000].map(|millis| {
                backoff.failed(now);
                (backoff.next_start().map_or(Duration::ZERO, |next| next - now), Duration::from_millis(millis))
            });
            assert!(pauses.iter().all(|(pause, expected)| pause == expected), "{pauses:?}");
            backoff.succeeded();
            assert_eq!(backoff.next_start(), None);
        }
        (0..100).for_each(|_| backoff.failed(now));
        assert_eq!(backoff.next_start(), Some(now + StartBackoff::LONGEST), "however many failures there were");
    }
}
