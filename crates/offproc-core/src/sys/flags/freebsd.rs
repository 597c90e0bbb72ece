//! What FreeBSD has of what not every system has, in calls that every Unix has.

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socket_with, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::{BorrowedFd, OwnedFd};

/// A directory to enter, not to read.
pub(super) const DIRECTORY_ALONE: OFlags = OFlags::empty();

/// Not known.
pub(super) fn pipe_size(_: BorrowedFd<'_>) -> Option<usize> {
    None
}

/// `MSG_NOSIGNAL`: the other end may be closed, which must not end this process.
pub(super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// `MSG_CMSG_CLOEXEC`.
pub(super) const RECEIVE_GIFTS: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// A descriptor that came with a message: close-on-exec from birth.
pub(super) fn received(gift: OwnedFd) -> OwnedFd {
    gift
}

/// `socketpair(AF_UNIX, SOCK_CLOEXEC)`.
pub(super) fn pair(kind: SocketType) -> Result<[OwnedFd; 2], Errno> {
    let (a, b) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    Ok([a, b])
}

/// `pipe2(O_CLOEXEC)`: where to read, and where to write.
pub(super) fn pipe() -> Result<[OwnedFd; 2], Errno> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok([read, write])
}

/// Whether there are fork servers. Not tried so far.
pub(super) const HAS_FORK_SERVERS: bool = false;

/// Any descriptor.
pub(super) fn any() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// `procctl(PROC_PDEATHSIG_CTL)`: the end of the parent ends this process, even one that is stopped.
pub(super) fn end_with_parent() {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// `getsockopt(SO_DOMAIN)`: whether it is a socket of this machine alone.
pub(super) fn is_local(socket: BorrowedFd<'_>) -> bool {
    rustix::net::sockopt::socket_domain(socket).is_ok_and(|domain| domain == AddressFamily::UNIX)
}
