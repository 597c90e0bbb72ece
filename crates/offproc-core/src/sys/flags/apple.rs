//! What Apple's systems have of what not every system has, in calls that every Unix has.
//!
//! No descriptor can be made close-on-exec from birth: a process that the program starts in the moment between has a
//! copy.

use rustix::fs::OFlags;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::sockopt::set_socket_nosigpipe;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use std::os::fd::{BorrowedFd, OwnedFd};

/// A directory to enter, not to read.
pub(super) const DIRECTORY_ALONE: OFlags = OFlags::empty();

/// Not known.
pub(super) fn pipe_size(_: BorrowedFd<'_>) -> Option<usize> {
    None
}

/// `SO_NOSIGPIPE` of the socket stands in place of a flag.
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// [`received`] does it.
pub(super) const RECEIVE_GIFTS: RecvFlags = RecvFlags::empty();

/// `fcntl(FD_CLOEXEC)`: of a descriptor that came with a message.
pub(super) fn received(gift: OwnedFd) -> OwnedFd {
    let _ = fcntl_setfd(&gift, FdFlags::CLOEXEC);
    gift
}

/// `socketpair(AF_UNIX)`, `FD_CLOEXEC` and `SO_NOSIGPIPE`. There are no sockets that keep the order of whole messages
/// and show their end.
pub(super) fn pair(kind: SocketType) -> Result<[OwnedFd; 2], Errno> {
    let (a, b) = socketpair(AddressFamily::UNIX, kind, SocketFlags::empty(), None)?;
    for end in [&a, &b] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
        set_socket_nosigpipe(end, true)?;
    }
    Ok([a, b])
}

/// `pipe` and `FD_CLOEXEC`: where to read, and where to write.
pub(super) fn pipe() -> Result<[OwnedFd; 2], Errno> {
    let (read, write) = rustix::pipe::pipe()?;
    for end in [&read, &write] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
    }
    Ok([read, write])
}

/// Whether there are fork servers. They need sockets for whole messages, and the number of this process's threads.
pub(super) const HAS_FORK_SERVERS: bool = false;

/// Any descriptor.
pub(super) fn any() -> Result<OwnedFd, Errno> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    Ok(socket)
}

/// Nothing: the system has no such request.
pub(super) fn end_with_parent() {}

/// `getsockname`: whether it is a socket of this machine alone.
pub(super) fn is_local(socket: BorrowedFd<'_>) -> bool {
    rustix::net::getsockname(socket).is_ok_and(|name| name.address_family() == AddressFamily::UNIX)
}
