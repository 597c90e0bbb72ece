//! Pipes from a worker, which keep what was written when the worker dies.
//!
//! Nothing waits for a pipe as it does for a socket: see [`pipe_reader`](super::pipe_reader). What a worker logs goes
//! over a socket at once.

use super::fork_registry::{Behind, TrackedFd, TrackedGift};
use super::gifts::Gift;
use super::pairs;
use super::pipe_reader::Reader;
use super::readiness::{self, Interest};
use super::socket::{self, Blocking};
use super::win32::pipe;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The capacity of a pipe in bytes.
pub(crate) const USUAL: usize = 64 << 10;

/// Where to read, and where to write.
pub(crate) fn pipe() -> io::Result<(TrackedFd, TrackedGift)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let (pipe, theirs) = pipe::shared_pipe(&format!("offproc.{}.{number}", std::process::id()), USUAL as u32)?;
    let (ours, bell) = pairs::pair()?;
    ours.is_before(Behind::Pipe(Reader::start(pipe, bell.into_owned()?)?));
    Ok((ours, Gift::Handle(theirs).into()))
}

/// A pair of sockets; writing does not block. Returns also how much it holds at least, in bytes.
pub(crate) fn non_blocking() -> io::Result<(TrackedFd, TrackedGift, usize)> {
    let (ours, theirs) = pairs::pair()?;
    Ok((ours, Gift::Socket(theirs.into_owned()?).into(), USUAL))
}

/// Appends what there is, as far as the vector has room for it. 0 at the end.
pub(crate) fn read(from: &TrackedFd, into: &mut Vec<u8>) -> Result<usize, Errno> {
    match from.behind() {
        Some(Behind::Pipe(pipe)) => pipe.read(from, into),
        _ => rustix::net::recv(from, spare_capacity(into), RecvFlags::empty()).map(|(count, _)| count),
    }
}

/// `send`: how much was written.
pub(crate) fn write(to: &Gift, bytes: &[u8]) -> Result<usize, Errno> {
    socket::send(to.socket().ok_or(Errno::NOTSOCK)?, bytes, Blocking::No)
}

/// `WSAPoll`: waits until there is room; false if the deadline has passed.
pub(crate) fn wait_for_room(to: &Gift, deadline: Instant) -> io::Result<bool> {
    readiness::wait(to.socket().ok_or(Errno::NOTSOCK)?, Interest::Writable, Some(deadline))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::time::Duration;

    #[test]
    fn what_was_written_is_read_once_and_then_comes_the_end() {
        const PATIENCE: Duration = Duration::from_secs(30);
        let (ours, theirs) = pipe().unwrap();
        let Gift::Handle(theirs) = theirs.into_owned().unwrap() else { panic!("a pipe is a handle") };
        let (mut theirs, mut bytes) = (File::from(theirs), Vec::with_capacity(64));
        for round in [b"once", b"more"] {
            assert_eq!(read(&ours, &mut bytes), Err(Errno::AGAIN));
            theirs.write_all(round).unwrap();
            assert!(readiness::wait_for(&ours, Interest::Readable, PATIENCE).unwrap());
            bytes.clear();
            assert_eq!(read(&ours, &mut bytes), Ok(4));
            assert_eq!(bytes, round);
        }
        drop(theirs);
        assert!(readiness::wait_for(&ours, Interest::Readable, PATIENCE).unwrap());
        assert_eq!(read(&ours, &mut bytes), Ok(0));
    }
}
