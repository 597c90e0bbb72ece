//! Descriptors: pairs of sockets, the standard three, and out of the way of a job that writes to low numbers.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A pair of connected stream sockets, close-on-exec from birth, neither of which is one of the standard three (which
/// a program may have closed).
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (a, b) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    Ok((above_standard(a)?, above_standard(b)?))
}

fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(fcntl_dupfd_cloexec(&fd, 3)?) }
}

/// A duplicate under a high number, where a job that writes to or closes low numbers by mistake does not hit it.
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

/// Makes stdin empty, and opens stdout and stderr onto nothing where they are closed, as std does for a program:
/// otherwise the next file opened would become one of them.
pub(crate) fn restore_standard() -> io::Result<()> {
    let nothing = match open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(null) => null,
        // Without /dev: a socket whose other end is closed is as empty.
        Err(_) => pair()?.0,
    };
    rustix::stdio::dup2_stdin(&nothing)?;
    if fcntl_getfd(rustix::stdio::stdout()).is_err() {
        rustix::stdio::dup2_stdout(&nothing)?;
    }
    if fcntl_getfd(rustix::stdio::stderr()).is_err() {
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(())
}
