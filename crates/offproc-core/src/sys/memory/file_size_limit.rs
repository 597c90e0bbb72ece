//! The limit on the size of files (RLIMIT_FSIZE): it kills by SIGXFSZ.
#![allow(unsafe_code)]

use rustix::io::Errno;

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
pub(super) fn without_xfsz<T>(resize: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
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
