//! A counter that one process adds to and another takes from: an eventfd (`man 2 eventfd`). It keeps its count when the
//! process that added to it has died.

use super::fork_registry::{TrackedFd, TrackedGift};
use rustix::event::EventfdFlags;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};

/// `eventfd(EFD_NONBLOCK)`: a counter at 0: our end, and that of who adds.
pub(crate) fn open() -> io::Result<(TrackedFd, TrackedGift)> {
    let [ours, theirs] = TrackedFd::open(|| {
        let ours = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let theirs = rustix::io::fcntl_dupfd_cloexec(&ours, 3)?;
        Ok([ours, theirs])
    })?;
    Ok((ours, theirs))
}

/// A counter of this process alone.
#[derive(Clone, Debug)]
pub(crate) struct OwnCounter(TrackedFd);

impl OwnCounter {
    pub(crate) fn open() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let [counter] = TrackedFd::open(|| Ok([rustix::event::eventfd(0, flags)?]))?;
        Ok(Self(counter))
    }

    pub(crate) fn add_one(&self) -> io::Result<()> {
        add_one(&self.0)
    }

    pub(crate) fn take(&self) -> u64 {
        take(&self.0)
    }
}

impl AsFd for OwnCounter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Adds one.
pub(crate) fn add_one(counter: impl AsFd) -> io::Result<()> {
    match rustix::io::write(counter, &1_u64.to_ne_bytes()) {
        // Full: it stands at 2^64 - 2.
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Takes the count, and sets it to 0.
///
/// Never blocks: that the descriptor does not block is noted where the other process could change it, and it could have
/// taken the count itself meanwhile.
pub(crate) fn take(counter: &TrackedFd) -> u64 {
    let mut count = [0; 8];
    let taken = match preadv2(counter, &mut [IoSliceMut::new(&mut count)], u64::MAX, ReadWriteFlags::NOWAIT) {
        taken @ (Ok(_) | Err(Errno::AGAIN | Errno::INTR)) => taken,
        // Kernels before 5.8 cannot be asked so, and a sandbox may forbid it.
        Err(_) => rustix::io::read(counter, &mut count),
    };
    if taken == Ok(count.len()) { u64::from_ne_bytes(count) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_taken_once() {
        let (ours, theirs) = open().unwrap();
        let theirs = theirs.into_owned().unwrap();
        assert_eq!(take(&ours), 0);
        add_one(&theirs).unwrap();
        add_one(&theirs).unwrap();
        drop(theirs);
        assert_eq!(take(&ours), 2);
        assert_eq!(take(&ours), 0);
    }
}
