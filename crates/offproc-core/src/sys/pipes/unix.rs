//! Pipes from a worker, which keep what was written when the worker dies.

use super::flags;
use super::fork_registry::{TrackedFd, TrackedGift};
use super::gifts::Gift;
use super::readiness::{self, Interest};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

/// The capacity of a pipe in bytes, with pages of the usual size.
pub(crate) const USUAL: usize = 64 << 10;

/// `pipe2(O_CLOEXEC)`: where to read, and where to write.
pub(crate) fn pipe() -> io::Result<(TrackedFd, TrackedGift)> {
    let [read, write] = TrackedFd::open(|| Ok(flags::pipe()?))?;
    Ok((read, write))
}

/// The same; writing does not block. Returns also the capacity, in bytes.
pub(crate) fn non_blocking() -> io::Result<(TrackedFd, TrackedGift, usize)> {
    let (read, write) = pipe()?;
    rustix::io::ioctl_fionbio(&write, true)?;
    let capacity = flags::pipe_size(read.as_fd()).map_or(USUAL, |size| size.max(USUAL));
    Ok((read, write, capacity))
}

/// `read`: appends what there is, as far as the vector has room for it. 0 at the end.
pub(crate) fn read(pipe: &TrackedFd, into: &mut Vec<u8>) -> Result<usize, Errno> {
    rustix::io::read(pipe, spare_capacity(into))
}

/// `write`: how much was written.
pub(crate) fn write(pipe: &Gift, bytes: &[u8]) -> Result<usize, Errno> {
    rustix::io::write(pipe, bytes)
}

/// `poll`: waits until there is room; false if the deadline has passed.
pub(crate) fn wait_for_room(pipe: &Gift, deadline: Instant) -> io::Result<bool> {
    readiness::wait(pipe, Interest::Writable, Some(deadline))
}
