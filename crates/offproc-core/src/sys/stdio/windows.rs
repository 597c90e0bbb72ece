//! The standard streams, without ever waiting long for their locks.
//!
//! A thread that a job has left behind may hold std's lock on stdout, or C's on one of its streams, and neither can be
//! tried. So a thread of our own takes the locks, and the caller waits for it for a limited time.

use super::flusher::Flusher;
use super::win32::this;
use std::cell::RefCell;
use std::io::{self, Write};

thread_local! {
    static FLUSHER: RefCell<Flusher> = const { RefCell::new(Flusher::new(flush_here)) };
}

/// Flushes std's stdout and C's streams. False if another thread holds a lock for too long: then the output comes
/// later.
pub(crate) fn flush() -> bool {
    FLUSHER.with_borrow_mut(Flusher::flush)
}

fn flush_here() {
    let _ = io::stdout().flush();
    this::flush_c();
}

/// Call this before the sandbox: it may forbid threads.
pub(crate) fn enter_sandbox() {
    FLUSHER.with_borrow_mut(Flusher::start);
}
