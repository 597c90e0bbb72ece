//! C's streams with the C libraries of Linux, and whether they know of other threads.
#![allow(unsafe_code)]

use super::fork::is_forked;
use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

#[repr(C)]
struct File {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    static stdout: *mut File;
    static stderr: *mut File;
    fn __fpurge(stream: *mut File);
    fn __fpending(stream: *mut File) -> usize;
    fn fflush(stream: *mut File) -> c_int;
    // The streams that there are, the newest first: in the beginning stderr, stdout and stdin.
    #[cfg(target_env = "gnu")]
    static _IO_list_all: *mut File;
}

/// Drops what C's stdout has buffered.
pub(super) fn forget_buffered() {
    // SAFETY: `stdout` is C's own.
    unsafe { __fpurge(stdout) };
}

/// Flushes C's streams, if they have anything buffered.
pub(super) fn flush() {
    // SAFETY: these are C's own streams and functions; other threads may write the two words that this reads, which
    // is no worse than reading them a little earlier or later.
    unsafe {
        // In a fork, the other streams hold what the program has not written yet.
        if has_others() && !is_forked() {
            fflush(std::ptr::null_mut());
        } else {
            for stream in [stdout, stderr] {
                if __fpending(stream) > 0 {
                    fflush(stream);
                }
            }
        }
    }
}

#[cfg(target_env = "gnu")]
unsafe fn has_others() -> bool {
    // SAFETY: as above.
    unsafe { _IO_list_all != stderr }
}

#[cfg(not(target_env = "gnu"))]
unsafe fn has_others() -> bool {
    true
}

/// Where the C library says whether this process has one thread: glibc does, from 2.32 on.
fn single_threaded() -> Option<&'static AtomicU8> {
    static PLACE: OnceLock<Option<&AtomicU8>> = OnceLock::new();
    *PLACE.get_or_init(|| {
        if cfg!(not(target_env = "gnu")) {
            return None;
        }
        // SAFETY: a C string; what it names is a variable of one byte that stays, and is only written where a
        // thread is started or joined.
        unsafe {
            let place = libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr());
            (!place.is_null()).then(|| AtomicU8::from_ptr(place.cast()))
        }
    })
}

pub(super) fn is_single_threaded() -> bool {
    single_threaded().is_some_and(|one| one.load(Ordering::Relaxed) != 0)
}
