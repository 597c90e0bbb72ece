//! The background thread, which drives what outlives its caller. It reaps workers, waits for abandoned jobs, and closes
//! contexts that were dropped. It sleeps while there is nothing to do. It is the only lasting thread of offproc's own
//! in the parent, apart from that of `stderr_tee.rs`; others close the descriptors that workers send
//! (`sys/discard.rs`), and start processes (`launcher.rs`), as long as there are any.

use super::runtime::BoxFuture;
use super::{reactor, timer, watchdog};
use crate::sys::fork;
use crate::sys::scheduling::Scheduling;
use crate::sys::thread;
use async_executor::Executor;
use std::cell::Cell;
use std::future::{Future, pending};
use std::io;
use std::sync::{Mutex, Once, PoisonError};

static BACKGROUND: BackgroundExecutor = BackgroundExecutor::new("offproc-bg");

/// Background tasks, and the name of the thread that drives them.
pub(super) struct BackgroundExecutor {
    name: &'static str,
    tasks: Executor<'static>,
    runs: Mutex<bool>,
}

impl BackgroundExecutor {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, tasks: Executor::new(), runs: Mutex::new(false) }
    }

    /// Starts the thread if it does not run yet; true when this started it.
    ///
    /// # Errors
    ///
    /// The system has no room for the reactor, or for one more thread; or this is a fork, which has no such threads.
    pub(super) fn ensure(&'static self) -> io::Result<bool> {
        reactor::ensure()?;
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let starts = !*runs;
        if starts {
            thread::start(self.name, None, || {
                Scheduling::of_program().adopt();
                CURRENT.set(Some(self));
                loop {
                    // A task that panics must not end the others.
                    let run = || async_io::block_on(self.tasks.run(pending::<()>()));
                    let _ = std::panic::catch_unwind(run);
                }
            })?;
            *runs = true;
        }
        Ok(starts)
    }

    /// Adds a background task: the thread drives it to its end, once it runs.
    pub(super) fn spawn_background(&'static self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_boxed(Box::pin(task));
    }

    /// In a box, so that what the executor does is compiled once, and not once for each kind of task.
    fn spawn_boxed(&'static self, task: BoxFuture<()>) {
        self.tasks.spawn(task).detach();
    }
}

thread_local! {
    /// The one that this thread drives.
    static CURRENT: Cell<Option<&'static BackgroundExecutor>> = const { Cell::new(None) };
}

/// Whether a thread of offproc's own calls, which must not wait for foreign code: timers and ends depend on it.
#[must_use]
pub fn is_background_thread() -> bool {
    CURRENT.get().is_some()
}

/// Whether the background thread itself calls, and not another thread of offproc's own.
pub(super) fn is_background_thread_itself() -> bool {
    CURRENT.get().is_some_and(|current| std::ptr::eq(current, &BACKGROUND))
}

/// Starts the background thread if it does not run yet.
///
/// # Errors
///
/// The system has no room for the reactor, or for one more thread; or this is a fork, which has no such threads.
pub fn ensure() -> io::Result<()> {
    static WATCHED: Once = Once::new();
    reactor::ensure()?;
    // From here on there are threads that a fork does not have.
    WATCHED.call_once(fork::close_registered_in_forks);
    if BACKGROUND.ensure()? {
        BACKGROUND.spawn_background(timer::drive());
        BACKGROUND.spawn_background(watchdog::drive());
    }
    Ok(())
}

/// Adds a background task, which the background thread drives to its end. The thread runs in every process that has
/// started a worker; elsewhere, and in a fork, the task is never polled: see [`ensure`].
pub fn spawn_background(task: impl Future<Output = ()> + Send + 'static) {
    ensure_and_spawn(Box::pin(task));
}

fn ensure_and_spawn(task: BoxFuture<()>) {
    let _ = ensure();
    BACKGROUND.spawn_boxed(task);
}
