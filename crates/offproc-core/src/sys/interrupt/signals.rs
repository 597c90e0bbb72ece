//! Signal dispositions of a worker.
#![allow(unsafe_code)]

use rustix::io::Errno;
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

/// Discards the pending signal of this set, which the calling thread blocks.
///
/// The disposition is the program's, and other threads may run this at the same time: it stays as it is, unless a
/// sandbox forbids the other way.
fn discard(only: &libc::sigset_t) {
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the set and the time are read during the calls, no result is asked for, an all-zeroes `sigaction` is
    // valid, the disposition in between installs no code, and the one from before is put back.
    unsafe {
        if libc::sigtimedwait(only, std::ptr::null_mut(), &raw const now) >= 0
            || std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock
        {
            return;
        }
        // Ignoring a signal discards the pending one.
        let (mut ignore, mut action): (libc::sigaction, libc::sigaction) = (std::mem::zeroed(), std::mem::zeroed());
        ignore.sa_sigaction = libc::SIG_IGN;
        if libc::sigaction(libc::SIGXFSZ, &raw const ignore, &raw mut action) == 0 {
            libc::sigaction(libc::SIGXFSZ, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Runs `resize`, which gives a file another size, so that a limit on the size of files (RLIMIT_FSIZE) makes it fail
/// with EFBIG, and does not kill this process by SIGXFSZ.
///
/// This does not read the limit beforehand: a sandbox may kill the process for that system call, and another thread
/// could change the limit in between.
pub(crate) fn without_xfsz<T>(resize: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    // SAFETY: all-zeroes signal sets are valid memory for these calls, which fill them in or read them. The signal is
    // sent to this very thread, which blocks it meanwhile.
    unsafe {
        let (mut only, mut before): (libc::sigset_t, libc::sigset_t) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut only);
        libc::sigaddset(&raw mut only, libc::SIGXFSZ);
        if libc::pthread_sigmask(libc::SIG_BLOCK, &raw const only, &raw mut before) != 0 {
            return resize();
        }
        let resized = resize();
        if matches!(resized, Err(Errno::FBIG)) {
            discard(&only);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        resized
    }
}
