//! The keeper: one thread that drives what outlives its caller. It reaps workers, sees abandoned calls to their end,
//! and closes contexts that were dropped. It sleeps while there is nothing to do, and is the only thread of offproc's
//! own in the parent, but for that of `tee.rs`, those that close what workers send, where they are needed, and those of
//! `launcher.rs` while they start a process.

use crate::sys::{descriptors, fork};
use async_executor::Executor;
use std::future::{Future, pending};
use std::io;
use std::sync::{Mutex, Once, PoisonError};

/// How many descriptors the first use of the reactor needs, and some more.
const DESCRIPTORS: usize = 8;

static KEEPER: Crew = Crew::new("offproc-keeper");

/// Futures that a thread of this name drives.
pub(super) struct Crew {
    name: &'static str,
    errands: Executor<'static>,
    runs: Mutex<bool>,
}

impl Crew {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, errands: Executor::new(), runs: Mutex::new(false) }
    }

    /// Starts the thread if it does not run yet.
    ///
    /// # Errors
    ///
    /// The system has no room for one more thread.
    pub(super) fn ensure(&'static self) -> io::Result<()> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if !*runs {
            // Where it cannot have its own descriptors, the reactor it waits with panics.
            descriptors::has_room_for(DESCRIPTORS)?;
            std::thread::Builder::new().name(self.name.into()).spawn(|| {
                loop {
                    // An errand that panics must not end the others.
                    let run = || async_io::block_on(self.errands.run(pending::<()>()));
                    let _ = std::panic::catch_unwind(run);
                }
            })?;
            *runs = true;
        }
        Ok(())
    }

    /// Has the thread, which runs, drive a future to its end.
    pub(super) fn entrust(&'static self, errand: impl Future<Output = ()> + Send + 'static) {
        self.errands.spawn(errand).detach();
    }
}

/// Starts the keeper if it does not run yet.
///
/// # Errors
///
/// The system has no room for one more thread.
pub(crate) fn ensure() -> io::Result<()> {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(fork::watch);
    KEEPER.ensure()
}

/// Has the keeper drive a future to its end.
pub fn entrust(errand: impl Future<Output = ()> + Send + 'static) {
    // It runs wherever a worker was started; where it cannot be started, no worker can.
    let _ = ensure();
    KEEPER.entrust(errand);
}
