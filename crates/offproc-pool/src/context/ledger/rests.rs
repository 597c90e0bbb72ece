//! The indices whose command has failed.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// The last error of a command.
pub(crate) type Cause = (io::ErrorKind, String);

/// Those whose command has failed since it last started a worker, each with how long it rests. Each failure in a row
/// doubles that, up to a minute; but an attempt that took long is followed by a rest of twice that time, so that those
/// which fail slowly do not keep all others from their turn.
#[derive(Debug, Default)]
pub(super) struct Rests(BTreeMap<usize, Rest>);

#[derive(Debug)]
struct Rest {
    failures: u32,
    until: Instant,
    cause: Cause,
}

impl Rests {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(60);

    /// The command has failed, after it `took` so long.
    pub(super) fn begin(&mut self, index: usize, cause: Cause, now: Instant, took: Duration) {
        let failures = self.failures(index);
        let pause = (Self::FIRST * (1 << failures.min(16))).min(Self::LONGEST).max(2 * took);
        self.0.insert(index, Rest { failures: failures.saturating_add(1), until: now + pause, cause });
    }

    pub(super) fn forget(&mut self, index: usize) {
        self.0.remove(&index);
    }

    /// How often in a row it has failed.
    pub(super) fn failures(&self, index: usize) -> u32 {
        self.0.get(&index).map_or(0, |rest| rest.failures)
    }

    pub(super) fn has(&self, index: usize, now: Instant) -> bool {
        self.0.get(&index).is_some_and(|rest| rest.until > now)
    }

    /// Of those below `total` that rest, when the first one may be tried again, and why it rests.
    pub(super) fn first_to_end(&self, total: usize, now: Instant) -> Option<(Instant, &Cause)> {
        let resting = self.0.range(..total).filter(|(_, rest)| rest.until > now);
        let first = resting.min_by_key(|(_, rest)| rest.until);
        first.map(|(_, rest)| (rest.until, &rest.cause))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_minute_and_are_forgotten() {
        let (mut rests, now) = (Rests::default(), Instant::now());
        let cause = |text: &str| (io::ErrorKind::Other, text.to_owned());
        for pause in [100, 200, 400, 800, 1600] {
            rests.begin(3, cause("no route"), now, Duration::from_millis(50));
            let end = now + Duration::from_millis(pause);
            assert_eq!(rests.first_to_end(4, now), Some((end, &cause("no route"))));
            assert!(rests.has(3, now) && !rests.has(3, end) && !rests.has(2, now));
            assert_eq!(rests.first_to_end(4, end), None, "it is being tried");
        }
        assert_eq!(rests.first_to_end(3, now), None, "there is no such index any more");
        (0..40).for_each(|_| rests.begin(3, cause("no route"), now, Duration::ZERO));
        rests.begin(1, cause("refused"), now + Rests::LONGEST, Duration::ZERO);
        assert_eq!(rests.first_to_end(4, now), Some((now + Rests::LONGEST, &cause("no route"))));
        rests.forget(3);
        assert_eq!(rests.first_to_end(4, now).map(|(_, cause)| &*cause.1), Some("refused"));
        assert!(!rests.has(3, now));
        rests.begin(2, cause("timed out"), now, Rests::LONGEST);
        assert!(rests.has(2, now + 2 * Rests::LONGEST - Rests::FIRST) && !rests.has(2, now + 2 * Rests::LONGEST));
        assert_eq!((rests.failures(1), rests.failures(2), rests.failures(3)), (1, 1, 0));
    }
}
