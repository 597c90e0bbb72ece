//! A clock that is cheap to read.

use super::kernel;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// A tick of some milliseconds.
pub(crate) type Tick = (i64, i64);

/// `clock_gettime`, of a clock that is cheap to read.
#[inline]
pub(crate) fn tick() -> Tick {
    let now = clock_gettime(kernel::COARSE_CLOCK);
    (now.tv_sec, now.tv_nsec)
}

/// `clock_gettime(CLOCK_MONOTONIC)`: the time since some moment before.
pub(crate) fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}
