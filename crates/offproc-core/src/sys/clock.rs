//! A clock that is cheap to read.

use rustix::time::{ClockId, clock_gettime};

/// A tick of some milliseconds.
pub(crate) type Tick = (i64, i64);

/// `clock_gettime(CLOCK_MONOTONIC_COARSE)`.
#[inline]
pub(crate) fn tick() -> Tick {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    (now.tv_sec, now.tv_nsec)
}
