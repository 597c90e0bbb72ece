//! Descriptors: pairs of sockets, pipes, and the standard three.

use super::fd_numbers::open_above_standard;
use super::fork_registry::TrackedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::fcntl_getfd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::io;
use std::os::fd::OwnedFd;

/// `socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)`: the first end is ours; the second is for another process, and
/// closing our copy of it does not shut it down.
pub(crate) fn pair() -> io::Result<(TrackedFd, TrackedFd)> {
    pair_of(SocketType::STREAM)
}

/// `socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)`: the same with whole messages instead of a stream.
pub(crate) fn message_pair() -> io::Result<(TrackedFd, TrackedFd)> {
    pair_of(SocketType::SEQPACKET)
}

fn pair_of(kind: SocketType) -> io::Result<(TrackedFd, TrackedFd)> {
    let (a, b) = unowned(kind)?;
    Ok((a.into_end_of_pair(), b))
}

/// The same, for two ends that may both go elsewhere: closing our copy of one shuts nothing down.
pub(crate) fn pair_of_ends() -> io::Result<(TrackedFd, TrackedFd)> {
    unowned(SocketType::STREAM)
}

fn unowned(kind: SocketType) -> io::Result<(TrackedFd, TrackedFd)> {
    let [a, b] = TrackedFd::open(|| {
        let (a, b) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        Ok([a, b])
    })?;
    Ok((a, b))
}

/// `pipe2(O_CLOEXEC)`: where to read, and where to write.
pub(crate) fn pipe() -> io::Result<(TrackedFd, TrackedFd)> {
    let [read, write] = TrackedFd::open(|| {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        Ok([read, write])
    })?;
    Ok((read, write))
}

/// Whether so many more descriptors can be opened now.
pub(crate) fn has_room_for(count: usize) -> io::Result<()> {
    (0..count.div_ceil(2)).map(|_| pair()).collect::<io::Result<Vec<_>>>().map(drop)
}

/// `dup2`: makes stdin empty, and opens stdout and stderr onto nothing where they are closed, as std does for a
/// program: otherwise the next file that is opened would become one of them.
pub(crate) fn restore_standard() -> io::Result<()> {
    let nothing = nothing()?;
    rustix::stdio::dup2_stdin(&nothing)?;
    if fcntl_getfd(rustix::stdio::stdout()).is_err() {
        rustix::stdio::dup2_stdout(&nothing)?;
    }
    if fcntl_getfd(rustix::stdio::stderr()).is_err() {
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(())
}

/// `open("/dev/null")`: nothing to read from or write to.
pub(crate) fn nothing() -> io::Result<OwnedFd> {
    let null = || Ok([open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?]);
    match open_above_standard(null) {
        Ok([null]) => Ok(null),
        // Without /dev: a socket whose other end is closed is as empty.
        Err(_) => pair()?.0.into_owned(),
    }
}
