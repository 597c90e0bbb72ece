//! Pipes from a worker: not on this system so far, whose pipes cannot be awaited.

use super::fork_registry::{TrackedFd, TrackedGift};
use super::gifts::Gift;
use rustix::io::Errno;
use std::io;
use std::time::Instant;

/// Whether this system has them.
pub(crate) const ARE_SUPPORTED: bool = false;

pub(crate) const USUAL: usize = 64 << 10;

pub(crate) fn pipe() -> io::Result<(TrackedFd, TrackedGift)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn non_blocking() -> io::Result<(TrackedFd, TrackedGift, usize)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn read(_: &TrackedFd, _: &mut Vec<u8>) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

pub(crate) fn write(_: &Gift, _: &[u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

pub(crate) fn wait_for_room(_: &Gift, _: Instant) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
