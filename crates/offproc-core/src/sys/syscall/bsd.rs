//! Calls that macOS and FreeBSD share: see `syscall.rs`.
#![allow(unsafe_code)]

use rustix::process::Resource;
use rustix::time::ClockId;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

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

/// `getsockopt(SOL_LOCAL)`: a value of this type.
///
/// # Safety
///
/// Any bits are a valid value.
pub(super) unsafe fn socket_option<T>(socket: BorrowedFd<'_>, name: c_int, mut value: T) -> io::Result<T> {
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
