//! Waiting for what nobody announces: the state of the kernel, and numbers that follow it.

use std::time::{Duration, Instant};

/// An upper bound for what takes milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(1);

/// Waits until something is so.
///
/// # Panics
///
/// It is not, in all patience; with what `complaint` says.
pub fn blocking_until(mut is_so: impl FnMut() -> bool, complaint: impl FnOnce() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{}", complaint());
        std::thread::sleep(STEP);
    }
}

/// Waits until something is so, without blocking the thread.
///
/// # Panics
///
/// It is not, in all patience.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not so after {PATIENCE:?}: {what}");
        smol::Timer::after(STEP).await;
    }
}
