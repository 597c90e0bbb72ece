//! Sockets and handles have no numbers that a program would use by mistake.

use rustix::fd::{AsFd, OwnedFd};
use std::io;

/// Runs `open`: what it opens never becomes a standard stream.
pub(crate) fn with_standard_taken<T>(open: impl FnOnce() -> T) -> T {
    open()
}

/// `WSADuplicateSocketW`: a duplicate.
pub(crate) fn duplicate_high(fd: impl AsFd) -> io::Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned()
}

/// Whether the system has no memory left.
pub(crate) fn is_shortage(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::OutOfMemory
}
