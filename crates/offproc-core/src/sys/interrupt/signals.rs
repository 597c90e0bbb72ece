//! Signal dispositions of a worker.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

const ALL: std::ops::RangeInclusive<c_int> = 1..=64;

/// The signals that were ignored when the program started (as by `nohup`), a bit each: `1 << (number - 1)`.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Call this once, before the program can have changed anything.
pub(crate) fn note_ignored() {
    let ignored = ALL.filter(|signal| is_ignored(*signal)).fold(0, |set, signal| set | bit(signal));
    IGNORED.store(ignored, Ordering::Relaxed);
}

/// The signals that were ignored when the program started.
pub(crate) fn ignored() -> u64 {
    IGNORED.load(Ordering::Relaxed)
}

/// True for a signal that was ignored when the program started.
pub(crate) fn was_ignored(signal: c_int) -> bool {
    ALL.contains(&signal) && ignored() & bit(signal) != 0
}

/// In a worker: sets those of the program, which may have ignored others when it started this process.
pub(crate) fn adopt(ignored: u64) {
    IGNORED.store(ignored, Ordering::Relaxed);
    reset();
}

/// Gives every signal the disposition that it had when the program started, and unblocks them all, as the parent may
/// have changed them (or forked this process with handlers of its own); then ignores SIGINT, which a terminal sends to
/// the whole group, and SIGPIPE, as std does for every Rust program.
pub(crate) fn reset() {
    ALL.for_each(restore);
    set(libc::SIGINT, libc::SIG_IGN);
    set(libc::SIGPIPE, libc::SIG_IGN);
    // SAFETY: an all-zeroes signal set is valid memory for `sigemptyset`, which makes it the empty set; `sigprocmask`
    // reads it and writes nothing.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// `signal(SIG_IGN)`: ignores a signal.
pub(super) fn ignore(signal: c_int) {
    set(signal, libc::SIG_IGN);
}

/// `signal(SIGTERM, SIG_IGN)`: the requests of a service manager to end are the program's to answer.
pub(crate) fn ignore_termination() {
    ignore(libc::SIGTERM);
}

/// `signal(SIGCHLD, SIG_DFL)`: a parent gets the status of its children.
pub(crate) fn keep_status_of_children() {
    set(libc::SIGCHLD, libc::SIG_DFL);
}

/// Gives a signal the disposition that it had when the program started.
pub(crate) fn restore(signal: c_int) {
    set(signal, if was_ignored(signal) { libc::SIG_IGN } else { libc::SIG_DFL });
}

fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

fn is_ignored(signal: c_int) -> bool {
    // SAFETY: all zeroes is a valid value, and the call only writes to it; a number that is no signal is an error.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

fn set(signal: c_int, disposition: libc::sighandler_t) {
    // SAFETY: `SIG_DFL` and `SIG_IGN` install no code. A number that is no signal, or cannot be changed, is an error
    // that changes nothing.
    unsafe { libc::signal(signal, disposition) };
}
