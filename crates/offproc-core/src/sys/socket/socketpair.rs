//! Pairs of connected sockets, and pipes.

use super::flags;
use super::fork_registry::TrackedFd;
use rustix::net::{SocketType, sockopt};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

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
    let [a, b] = TrackedFd::open(|| Ok(flags::pair(kind)?))?;
    Ok((a, b))
}

/// Whether so many more descriptors can be opened now.
pub(crate) fn has_room_for(count: usize) -> io::Result<()> {
    (0..count.div_ceil(2)).map(|_| pair()).collect::<io::Result<Vec<_>>>().map(drop)
}

/// Whether a socket from another process is one of such a pair.
pub(crate) fn is_of_pair(socket: &OwnedFd) -> bool {
    flags::is_local(socket.as_fd()) && sockopt::socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM)
}
