//! FreeBSD's own calls: see `syscall.rs`.
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
