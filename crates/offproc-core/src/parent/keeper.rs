//! The keeper: one thread that drives what outlives its caller. It reaps workers, sees abandoned calls to their end,
//! and closes contexts that were dropped. It sleeps while there is nothing to do, and is the only thread of offproc's
//! own in the parent.

use crate::sys::{descriptors, fork};
use async_executor::Executor;
use std::future::{Future, pending};
use std::io;
use std::sync::{Mutex, PoisonError};

/// How many descriptors the first use of the reactor needs, and some more.
const DESCRIPTORS: usize = 8;

static ERRANDS: Executor<'static> = Executor::new();

/// Starts the keeper if it does not run yet.
///
/// # Errors
///
/// The system has no room for one more thread.
pub(crate) fn ensure() -> io::Result<()> {
    static RUNS: Mutex<bool> = Mutex::new(false);
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    if !*runs {
        // Where it cannot have its own descriptors, the reactor it waits with panics.
        descriptors::has_room_for(DESCRIPTORS)?;
        fork::watch();
        std::thread::Builder::new().name("offproc-keeper".into()).spawn(|| {
            loop {
                // An errand that panics must not end the others.
                let run = || async_io::block_on(ERRANDS.run(pending::<()>()));
                let _ = std::panic::catch_unwind(run);
            }
        })?;
        *runs = true;
    }
    Ok(())
}

/// Has the keeper drive a future to its end.
pub fn entrust(errand: impl Future<Output = ()> + Send + 'static) {
    // It runs wherever a worker was started; where it cannot be started, no worker can.
    let _ = ensure();
    ERRANDS.spawn(errand).detach();
}
