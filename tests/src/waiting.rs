//! Waiting for changes that no event announces: the state of the kernel, and numbers that follow it.

use futures::future::{Either, select};
use std::future::Future;
use std::pin::pin;
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

/// Drives a call until something else has happened, and gives the other's result.
///
/// # Panics
///
/// The call ends first.
pub async fn drive_until<C, E>(call: &mut C, event: E) -> E::Output
where
    C: Future<Output: std::fmt::Debug> + Unpin,
    E: Future,
{
    match select(call, pin!(event)).await {
        Either::Left((ended, _)) => panic!("the call was to go on, and ended with {ended:?}"),
        Either::Right((happened, _)) => happened,
    }
}
