//! Apple's own calls: see `syscall.rs`.
#![allow(unsafe_code)]

use rustix::process::Resource;
use rustix::time::ClockId;
use std::ffi::{CStr, c_int};
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

// ---- The process as a whole

/// A clock that is cheap to read.
pub(super) const COARSE_CLOCK: ClockId = ClockId::Monotonic;

/// What a process can be limited in.
pub(super) const LIMITS: [Resource; 10] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
];

/// `issetugid()`: true for a set-user-id or set-group-id start.
pub(super) fn is_privileged_start() -> bool {
    // SAFETY: it has no preconditions.
    unsafe { libc::issetugid() != 0 }
}

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

/// `getsockopt(SOL_LOCAL)`: a value of this type.
///
/// # Safety
///
/// Any bits are a valid value.
unsafe fn socket_option<T>(socket: BorrowedFd<'_>, name: c_int, mut value: T) -> io::Result<T> {
    /// `SOL_LOCAL`.
    const LOCAL: c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<T>()).expect("a few bytes");
    let (fd, place) = (socket.as_raw_fd(), (&raw mut value).cast());
    // SAFETY: a variable of ours, of the length that is said, and the caller's promise.
    let known = unsafe { libc::getsockopt(fd, LOCAL, name, place, &raw mut length) };
    if known == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// `getsockopt(LOCAL_PEERCRED)`: the user and the groups of the process that has made the other end.
pub(super) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<libc::xucred> {
    // SAFETY: it consists of numbers, any of which are valid, all zeroes too.
    unsafe { socket_option(socket, libc::LOCAL_PEERCRED, std::mem::zeroed()) }
}
