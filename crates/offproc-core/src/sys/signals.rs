//! Signal dispositions of a worker.
#![allow(unsafe_code)]

use std::ffi::c_int;

/// Gives every signal its default disposition and unblocks them all, whatever the parent had (it may ignore SIGHUP,
/// or have forked us with handlers of its own); then ignores SIGINT, which a terminal sends to the whole group, and
/// SIGPIPE, as std does for every Rust program.
pub(crate) fn reset() {
    for signal in 1..=64 {
        set(signal, libc::SIG_DFL);
    }
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

/// Ignores a signal.
pub(crate) fn ignore(signal: c_int) {
    set(signal, libc::SIG_IGN);
}

/// Gives a signal its default disposition.
pub(crate) fn set_default(signal: c_int) {
    set(signal, libc::SIG_DFL);
}

fn set(signal: c_int, disposition: libc::sighandler_t) {
    // SAFETY: `SIG_DFL` and `SIG_IGN` install no code. A number that is no signal, or cannot be changed, is an error
    // that changes nothing.
    unsafe { libc::signal(signal, disposition) };
}
