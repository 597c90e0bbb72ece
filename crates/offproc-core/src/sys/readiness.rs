//! Waiting for one descriptor, on the calling thread.

use super::calls::select_one;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::io;
use std::time::{Duration, Instant};

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Readable,
    Writable,
}

/// `poll`: waits until it is ready, or until the deadline; `None`: for ever. False if the deadline has passed.
pub(crate) fn wait(fd: impl AsFd, wanted: Interest, deadline: Option<Instant>) -> io::Result<bool> {
    let flags = if wanted == Interest::Readable { PollFlags::IN } else { PollFlags::OUT };
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let ready = match poll(&mut [PollFd::new(&fd, flags)], left.as_ref()) {
            // RLIMIT_NOFILE is 0: `poll` refuses even one descriptor.
            Err(Errno::INVAL) => select_one(fd.as_fd(), wanted == Interest::Readable, left.as_ref()),
            ready => ready.map(|count| count > 0),
        };
        match ready {
            Err(Errno::INTR) => {}
            ready => return Ok(ready?),
        }
    }
}

/// The same, up to this duration from now; one that overflows the clock is for ever.
pub(crate) fn wait_for(fd: impl AsFd, wanted: Interest, patience: Duration) -> io::Result<bool> {
    wait(fd, wanted, Instant::now().checked_add(patience))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd_numbers::duplicate_high;
    use crate::sys::pairs::pair;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no such system call")]
    fn select_sees_what_poll_sees() {
        let (a, b) = pair().unwrap();
        let high = duplicate_high(&a).unwrap();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        for fd in [a.as_fd(), high.as_fd()] {
            assert_eq!(select_one(fd, true, Some(&now)), Ok(false));
            assert_eq!(select_one(fd, false, Some(&now)), Ok(true));
        }
        rustix::io::write(&b, b"x").unwrap();
        for fd in [a.as_fd(), high.as_fd()] {
            assert_eq!(select_one(fd, true, None), Ok(true));
        }
    }
}
