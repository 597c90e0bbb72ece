//! A counter that one process adds to and another takes from: a pipe, and a byte in it for each. It keeps its count
//! when the process that added to it has died.

use super::fork_registry::TrackedFd;
use super::pipes;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// `pipe(O_NONBLOCK)`: a counter at 0: our end, and that of who adds. They share no flags.
pub(crate) fn open() -> io::Result<(TrackedFd, TrackedFd)> {
    let (ours, theirs) = pipes::pipe()?;
    for end in [&ours, &theirs] {
        fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
    }
    Ok((ours, theirs))
}

/// A counter of this process alone.
#[derive(Clone, Debug)]
pub(crate) struct OwnCounter {
    read: TrackedFd,
    write: TrackedFd,
}

impl OwnCounter {
    pub(crate) fn open() -> io::Result<Self> {
        let (read, write) = open()?;
        Ok(Self { read, write })
    }

    pub(crate) fn add_one(&self) -> io::Result<()> {
        add_one(&self.write)
    }

    pub(crate) fn take(&self) -> u64 {
        take(&self.read)
    }
}

/// What is readable while the count is not 0.
impl AsFd for OwnCounter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

/// Adds one, if there is room: a pipe counts up to some thousands.
pub(crate) fn add_one(counter: impl AsFd) -> io::Result<()> {
    match rustix::io::write(counter, &[1]) {
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Takes the count, and sets it to 0.
pub(crate) fn take(counter: &TrackedFd) -> u64 {
    let (mut count, mut space) = (0, [0; 4096]);
    // Not for ever: the other process may add all the while.
    for _ in 0..64 {
        match rustix::io::read(counter, &mut space) {
            Ok(taken @ 1..) => count += taken as u64,
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => break,
        }
    }
    count
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

    #[test]
    fn a_full_one_holds_up_no_process() {
        let (ours, theirs) = open().unwrap();
        let theirs = theirs.into_owned().unwrap();
        (0..1 << 17).for_each(|_| add_one(&theirs).unwrap());
        assert!(take(&ours) >= 512);
    }
}
