//! Forking.
#![allow(unsafe_code)]

use super::descriptors::{Books, stop_books};
use rustix::process::Pid;
use std::cell::RefCell;
use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which side of a fork one is on.
pub(crate) enum Side {
    Parent(Pid),
    Child,
}

static FORKED: AtomicBool = AtomicBool::new(false);

/// True in a fork of a process that has, or had, workers: the thread that sees to them is not there.
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

thread_local! {
    // Stopped from before a fork until after it.
    static STOPPED: RefCell<Option<Books>> = const { RefCell::new(None) };
}

/// From here on, each fork of this process, by whomever, lets go of our descriptors and knows that it is one.
pub(crate) fn watch() {
    // SAFETY: these are functions of the type asked for, and live as long as the program. In the child they only set
    // a flag and close descriptors.
    unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
}

extern "C" fn before() {
    // In a thread that is ending there is no place to keep them.
    let _ = STOPPED.try_with(|stopped| stopped.replace(Some(stop_books())));
}

extern "C" fn after_in_parent() {
    let _ = STOPPED.try_with(|stopped| stopped.take());
}

extern "C" fn after_in_child() {
    FORKED.store(true, Ordering::Relaxed);
    if let Ok(Some(mut books)) = STOPPED.try_with(RefCell::take) {
        books.close_all();
    }
}

static IS_COPY: AtomicBool = AtomicBool::new(false);

/// This process speaks on its connection from here on, and no fork of it does, by whomever it is made.
pub(crate) fn claim_connection() {
    static WATCHED: Once = Once::new();
    // SAFETY: a function of the type asked for, which lives as long as the program and only sets a flag.
    WATCHED.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(copied));
    });
    IS_COPY.store(false, Ordering::Relaxed);
}

extern "C" fn copied() {
    IS_COPY.store(true, Ordering::Relaxed);
}

/// Ends a fork that a job has made of its worker and let return from the job: two answers would be one too many.
pub(crate) fn end_copy() {
    if IS_COPY.load(Ordering::Relaxed) {
        let message =
            b"offproc: a fork of a worker has returned from its job and ends here; the worker itself answers\n";
        let _ = rustix::io::write(rustix::stdio::stderr(), message);
        exit_at_once(0);
    }
}

/// Makes a copy of this process with one thread, the calling one.
///
/// # Safety
///
/// In a process with other threads, the child may only do what does not need a lock that one of them may have held at
/// that moment; its caller answers for that.
pub(crate) unsafe fn fork() -> io::Result<Side> {
    // SAFETY: the caller's obligation, passed on.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Pid::from_raw(pid).map_or(Side::Child, Side::Parent)),
    }
}

/// The proof that this process has one thread, as long as whoever holds it starts none.
pub(crate) struct Alone(());

impl Alone {
    /// The error is how many threads there are. Where the system does not tell, it is believed.
    pub(crate) fn check() -> Result<Self, usize> {
        match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
            Ok(threads) if threads > 1 => Err(threads),
            _ => Ok(Self(())),
        }
    }

    pub(crate) fn fork(&self) -> io::Result<Side> {
        // What was printed by way of C, too, or the child would print it again.
        // SAFETY: null means all streams.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        // SAFETY: there is no other thread that could hold a lock.
        unsafe { fork() }
    }
}

/// Ends the process without the work at exit, which a forked process has inherited but is not its own to do.
pub(crate) fn exit_at_once(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}
