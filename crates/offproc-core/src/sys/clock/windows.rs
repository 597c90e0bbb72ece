//! A clock that is cheap to read.

use super::win32::this;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The time since some moment, which is another in each process.
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// A tick of some milliseconds.
pub(crate) type Tick = u64;

/// `GetTickCount64`.
#[inline]
pub(crate) fn tick() -> Tick {
    this::milliseconds()
}
