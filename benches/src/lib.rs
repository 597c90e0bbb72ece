//! What the benchmark's programs share: the jobs they hand to workers, and a loop of warm calls.
#![forbid(unsafe_code)]

use offproc::Error;
use std::time::Duration;

/// The job that costs nothing, so that a call's own price is all there is to see.
pub fn noop((): ()) {}

/// Makes calls to one warm worker, one after the other, on the executor that polls this.
///
/// `pause` is slept before each call, on the caller's thread: long enough, and both sides are asleep when it begins.
///
/// # Errors
///
/// That of the first call that fails.
pub async fn warm_calls(count: u64, pause: Option<Duration>) -> Result<(), Error> {
    for _ in 0..count {
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        offproc::run_sync(noop, ()).await?;
    }
    Ok(())
}

/// The executor on which a call's price can be counted: one thread, so that every run does the same.
///
/// # Panics
///
/// If the system has no descriptors left for it.
#[must_use]
pub fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}
