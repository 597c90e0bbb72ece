//! The numbers of descriptors: never those of the standard streams, and high ones out of the way of jobs.

use super::flags;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Whether the system has no descriptor or memory left.
pub(crate) fn is_shortage(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

fn is_above_standard(fd: &OwnedFd) -> bool {
    fd.as_raw_fd() > 2
}

/// The descriptors that `make` opens, under numbers above those of the standard streams.
///
/// A program may have closed its standard streams. The system gives the lowest free number, so the program would then
/// print to a descriptor of ours. A descriptor with a low number is therefore never used: it stays open, to keep the
/// number taken, until `make` has opened the same again.
pub(super) fn open_above_standard<const N: usize>(
    make: impl Fn() -> io::Result<[OwnedFd; N]>,
) -> io::Result<[OwnedFd; N]> {
    let mut low = Vec::new();
    loop {
        let made = make()?;
        if made.iter().all(is_above_standard) {
            return Ok(made);
        }
        low.push(made);
    }
}

/// Runs `open`, which opens descriptors that it keeps (those of a reactor, say), while the numbers of standard streams
/// that the program has closed are taken, so that none of them gets one.
pub(crate) fn with_standard_taken<T>(open: impl FnOnce() -> T) -> T {
    let mut low = Vec::new();
    while let Some(fd) = flags::any().ok().filter(|fd| !is_above_standard(fd)) {
        low.push(fd);
    }
    open()
}

/// Adds the descriptors that came with a message, above the numbers of the standard streams. If one cannot be moved,
/// returns it and those behind it: the message has lost them, as it has if the system has no room for them in the first
/// place.
pub(crate) fn add_received(received: &mut Vec<OwnedFd>, mut message: impl Iterator<Item = OwnedFd>) -> Vec<OwnedFd> {
    for fd in message.by_ref() {
        if is_above_standard(&fd) {
            received.push(fd);
        } else if let Ok(moved) = fcntl_dupfd_cloexec(&fd, 3) {
            received.push(moved);
        } else {
            return std::iter::once(fd).chain(message).collect();
        }
    }
    Vec::new()
}

/// `fcntl(F_DUPFD_CLOEXEC)`: a duplicate under a high number, where a job that writes to or closes low numbers by
/// mistake does not hit it.
pub(crate) fn duplicate_high(fd: impl AsFd) -> io::Result<OwnedFd> {
    for least in [512, 128, 32] {
        match fcntl_dupfd_cloexec(&fd, least) {
            // The limit on descriptors (`ulimit -n`) is below that number, or near it.
            Err(Errno::INVAL | Errno::MFILE) => {}
            other => return Ok(other?),
        }
    }
    Ok(fcntl_dupfd_cloexec(&fd, 3)?)
}
