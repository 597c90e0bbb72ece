//! Prints workers' output on the program's stderr: in one piece between the lines of the program itself, which prints
//! under std's lock, but never waiting for that lock for long, as the thread that holds it may wait for a worker.

use crate::sys::stderr::write_to_stderr;
use crate::sys::thread;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long to wait for the lock.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct State {
    runs: bool,
    /// The text to print next.
    text: Option<Vec<u8>>,
    /// The thread wants the lock and has not got it.
    is_waiting: bool,
    is_done: bool,
}

static STATE: Mutex<State> = Mutex::new(State { runs: false, text: None, is_waiting: false, is_done: false });
static WANTED: Condvar = Condvar::new();
static DONE: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that waits for the lock, if it does not run yet.
pub(super) fn ensure() -> io::Result<()> {
    let mut state = state();
    if !state.runs {
        thread::start("offproc-print", None, print_under_lock)?;
        state.runs = true;
    }
    Ok(())
}

fn print_under_lock() {
    loop {
        let mut waiting =
            WANTED.wait_while(state(), |state| state.text.is_none()).unwrap_or_else(PoisonError::into_inner);
        waiting.is_waiting = true;
        drop(waiting);
        let _lock = io::stderr().lock();
        let mut taken = state();
        taken.is_waiting = false;
        let Some(text) = taken.text.take() else { continue };
        drop(taken);
        write_to_stderr(&text);
        state().is_done = true;
        DONE.notify_one();
    }
}

/// Prints, and returns once that is done. For one thread.
pub(super) fn print(text: Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let mut waiting = state();
    if waiting.is_waiting {
        // Another thread has held the lock since the last time.
        drop(waiting);
        return write_to_stderr(&text);
    }
    (waiting.text, waiting.is_done) = (Some(text), false);
    WANTED.notify_one();
    let waited = DONE.wait_timeout_while(waiting, PATIENCE, |state| !state.is_done);
    let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = waiting.text.take() {
        drop(waiting);
        return write_to_stderr(&text);
    }
    // It has the lock by now, and writes.
    drop(DONE.wait_while(waiting, |state| !state.is_done));
}
