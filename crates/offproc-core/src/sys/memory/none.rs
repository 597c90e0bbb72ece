//! No memory that could be sent to another process: jobs go over the stream, and buffers are copied.

use super::fork_registry::TrackedFd;
use rustix::fs::SealFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// # Errors
///
/// Always.
pub(super) fn create<const N: usize>(
    _name: &str,
    _size: u64,
    _seals: SealFlags,
    _more: impl Fn(OwnedFd) -> io::Result<[OwnedFd; N]>,
) -> io::Result<[TrackedFd; N]> {
    Err(unsupported())
}

/// # Errors
///
/// Always.
pub(super) fn must_have(_file: impl AsFd, _seals: SealFlags) -> io::Result<()> {
    Err(unsupported())
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "there is no memory here that two processes could share")
}
