//! C's streams with the C libraries of Apple's systems and the BSDs, which do not say whether there are other threads.
#![allow(unsafe_code)]

use super::fork::is_forked;
use std::ffi::c_int;

#[repr(C)]
struct File {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    static __stdoutp: *mut File;
    static __stderrp: *mut File;
    fn fpurge(stream: *mut File) -> c_int;
    fn fflush(stream: *mut File) -> c_int;
}

/// Drops what C's stdout has buffered.
pub(super) fn forget_buffered() {
    // SAFETY: C's own stream.
    unsafe { fpurge(__stdoutp) };
}

/// Flushes C's streams.
pub(super) fn flush() {
    // SAFETY: C's own streams; null stands for all of them.
    unsafe {
        // In a fork, the other streams hold what the program has not written yet.
        if is_forked() {
            fflush(__stdoutp);
            fflush(__stderrp);
        } else {
            fflush(std::ptr::null_mut());
        }
    }
}

/// Not known.
pub(super) fn is_single_threaded() -> bool {
    false
}
