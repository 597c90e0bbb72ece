//! Apple's own calls: see `syscall.rs`.
#![allow(unsafe_code)]

pub(super) use super::bsd_kernel::*;

use std::ffi::CStr;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

// ---- The process as a whole

/// The unit of `ru_maxrss`, in bytes.
pub(super) const RESIDENT_UNIT: u64 = 1;

// ---- Other processes

/// What a process has used.
pub(super) struct Used {
    /// In nanoseconds.
    pub(super) cpu: u64,
    /// In bytes.
    pub(super) resident: u64,
}

/// `proc_pid_rusage(pid, RUSAGE_INFO_V4)`: of the process that has this number now.
#[allow(deprecated, reason = "libc refers to another crate for what is Mach's")]
pub(super) fn used_by(pid: libc::pid_t) -> Option<Used> {
    // SAFETY: all zeroes are valid values of these numbers, which the calls write to. They look at nothing else of
    // ours.
    unsafe {
        let mut usage: libc::rusage_info_v4 = std::mem::zeroed();
        if libc::proc_pid_rusage(pid, libc::RUSAGE_INFO_V4, (&raw mut usage).cast()) != 0 {
            return None;
        }
        // In ticks, which are nanoseconds on Intel's processors only.
        let mut base: libc::mach_timebase_info = std::mem::zeroed();
        libc::mach_timebase_info(&raw mut base);
        let ticks = u128::from(usage.ri_user_time) + u128::from(usage.ri_system_time);
        let cpu = u64::try_from(ticks * u128::from(base.numer) / u128::from(base.denom.max(1))).ok()?;
        Some(Used { cpu, resident: usage.ri_phys_footprint })
    }
}

// ---- Threads

/// `pthread_get_stackaddr_np` and `pthread_get_stacksize_np`: the stack of the calling thread, from its lowest address
/// to its end.
#[allow(clippy::unnecessary_wraps, reason = "other systems may not report it")]
pub(super) fn stack() -> Option<Range<usize>> {
    // SAFETY: of the calling thread, which lives.
    let (end, size) = unsafe {
        let own = libc::pthread_self();
        (libc::pthread_get_stackaddr_np(own).addr(), libc::pthread_get_stacksize_np(own))
    };
    Some(end.saturating_sub(size)..end)
}

/// `pthread_setname_np`: the name of the calling thread.
pub(super) fn set_name(name: &CStr) {
    // SAFETY: a string, which is read during the call.
    unsafe { libc::pthread_setname_np(name.as_ptr()) };
}

// ---- Descriptors

/// `getsockopt(LOCAL_PEERPID)`: the process that has used the other end last.
pub(super) fn peer_process(socket: BorrowedFd<'_>, _: &libc::xucred) -> io::Result<libc::pid_t> {
    // SAFETY: any number is a process.
    unsafe { socket_option(socket, libc::LOCAL_PEERPID, 0) }
}
