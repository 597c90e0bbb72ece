//! FreeBSD's own calls: see `syscall.rs`.
#![allow(unsafe_code)]

pub(super) use super::bsd_kernel::*;

use std::ffi::CStr;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

// ---- The process as a whole

/// The unit of `ru_maxrss`, in bytes.
pub(super) const RESIDENT_UNIT: u64 = 1024;

// ---- Other processes

/// What a process has used.
pub(super) struct Used {
    /// In nanoseconds.
    pub(super) cpu: u64,
    /// In bytes.
    pub(super) resident: u64,
}

/// `sysctl(kern.proc.pid)`: of the process that has this number now.
pub(super) fn used_by(pid: libc::pid_t) -> Option<Used> {
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, pid];
    // SAFETY: all zeroes is a valid value; the call writes to it, and to its length, and reads the name.
    let process = unsafe {
        let mut process: libc::kinfo_proc = std::mem::zeroed();
        let mut length = size_of_val(&process);
        let place = (&raw mut process).cast();
        let known = libc::sysctl(name.as_ptr(), 4, place, &raw mut length, std::ptr::null(), 0);
        (known == 0 && length == size_of_val(&process)).then_some(process)?
    };
    let pages = u64::try_from(process.ki_rssize).unwrap_or(0);
    let resident = pages.saturating_mul(rustix::param::page_size() as u64);
    Some(Used { cpu: process.ki_runtime.saturating_mul(1000), resident })
}

// ---- Threads

/// `pthread_attr_get_np(pthread_self())` and `pthread_attr_getstack`: the stack of the calling thread, from its lowest
/// address to its end.
pub(super) fn stack() -> Option<Range<usize>> {
    // SAFETY: `pthread_attr_init` initialises the attributes, which are destroyed; the others write to variables of
    // ours.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_attr_init(&raw mut attributes) != 0 {
            return None;
        }
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        let known = libc::pthread_attr_get_np(libc::pthread_self(), &raw mut attributes) == 0
            && libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size) == 0;
        libc::pthread_attr_destroy(&raw mut attributes);
        known.then(|| start.addr()..start.addr() + size)
    }
}

/// `pthread_set_name_np`: the name of the calling thread.
pub(super) fn set_name(name: &CStr) {
    // SAFETY: a string, which is read during the call.
    unsafe { libc::pthread_set_name_np(libc::pthread_self(), name.as_ptr()) };
}

// ---- Descriptors

/// `xucred`: the process that has made the other end.
#[allow(clippy::unnecessary_wraps, reason = "other systems have to be asked for it")]
pub(super) fn peer_process(_: BorrowedFd<'_>, credentials: &libc::xucred) -> io::Result<libc::pid_t> {
    // SAFETY: a number, whichever of its names it has.
    Ok(unsafe { credentials.cr_pid__c_anonymous_union.cr_pid })
}
