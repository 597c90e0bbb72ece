//! What Linux has of what not every system has, in calls that every Unix has.

use rustix::fs::OFlags;
use std::os::fd::BorrowedFd;

/// A directory to enter, not to read.
pub(super) const DIRECTORY_ALONE: OFlags = OFlags::PATH;

/// `fcntl(F_GETPIPE_SZ)`.
pub(super) fn pipe_size(pipe: BorrowedFd<'_>) -> Option<usize> {
    rustix::pipe::fcntl_getpipe_size(pipe).ok()
}
