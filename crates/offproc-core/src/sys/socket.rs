//! Bytes over a connected socket, without descriptors: see `gifts` for those.

pub(crate) use super::socket_flags::SENT_ARRIVES;
use super::socket_flags::{DONT_WAIT_TO_RECEIVE, DONT_WAIT_TO_SEND, GONE, NO_MEMORY, NO_SIGNAL};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

/// A connected socket.
pub(crate) use rustix::fd::OwnedFd as Socket;

/// A connection is reset if its other end is closed with bytes in it that were not read, and for no other reason: a
/// fact of Linux's Unix sockets. A TCP connection can be reset with all of them read.
pub(crate) const RESET_MEANS_UNREAD: bool =
    cfg!(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)));

/// Whether a call waits until it can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocking {
    /// For as long as it takes, where the socket itself blocks.
    Yes,
    No,
}

impl Blocking {
    /// `MSG_NOSIGNAL`: the other end may be closed, which must not end this process.
    pub(super) fn to_send(self) -> SendFlags {
        match self {
            Self::Yes => NO_SIGNAL,
            Self::No => NO_SIGNAL.union(DONT_WAIT_TO_SEND),
        }
    }

    pub(super) fn to_receive(self) -> RecvFlags {
        match self {
            Self::Yes => RecvFlags::empty(),
            Self::No => DONT_WAIT_TO_RECEIVE,
        }
    }
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// There is no room now.
    Full,
    /// The other side is gone.
    Gone,
    /// The system does not pass it on: a descriptor of a kind that cannot be sent (EINVAL), too many on their way
    /// (ETOOMANYREFS), no memory for them (ENOBUFS, ENOMEM), or a security module or a sandbox forbids it.
    Refused(Errno),
}

impl Unsent {
    pub(crate) const NO_MEMORY: Self = Self::Refused(NO_MEMORY);
}

impl From<Errno> for Unsent {
    fn from(e: Errno) -> Self {
        match e {
            Errno::AGAIN => Self::Full,
            e if is_gone(e) => Self::Gone,
            e => Self::Refused(e),
        }
    }
}

/// The error of a call on a connection whose other end is gone.
pub(crate) fn is_gone(e: Errno) -> bool {
    GONE.contains(&e)
}

/// Again, for as long as a signal interrupts it.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// `send(MSG_NOSIGNAL)`: how many bytes went.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], blocking: Blocking) -> Result<usize, Errno> {
    let socket = socket.as_fd();
    retry(|| rustix::net::send(socket, bytes, blocking.to_send()))
}

/// The same for two pieces, one behind the other.
pub(crate) fn send_two(socket: impl AsFd, [head, body]: [&[u8]; 2], blocking: Blocking) -> Result<usize, Errno> {
    const SMALL: usize = 4096;
    let (socket, size) = (socket.as_fd(), head.len() + body.len());
    if size <= SMALL {
        let mut both = [0; SMALL];
        both[..head.len()].copy_from_slice(head);
        both[head.len()..size].copy_from_slice(body);
        return send(socket, &both[..size], blocking);
    }
    let sent = send(socket, head, blocking)?;
    if sent < head.len() {
        return Ok(sent);
    }
    match send(socket, body, blocking) {
        // A part was sent.
        Err(Errno::AGAIN) => Ok(sent),
        more => Ok(sent + more?),
    }
}

/// `recv(MSG_DONTWAIT)`: how many bytes came, 0 at the end.
pub(crate) fn receive(socket: impl AsFd, space: &mut [u8]) -> Result<usize, Errno> {
    let socket = socket.as_fd();
    retry(|| rustix::net::recv(socket, &mut *space, DONT_WAIT_TO_RECEIVE).map(|(count, _)| count))
}

/// `recv(MSG_PEEK | MSG_DONTWAIT)`: what comes next, which stays there.
pub(crate) fn peek(socket: impl AsFd, space: &mut [u8]) -> Result<usize, Errno> {
    rustix::net::recv(socket, space, RecvFlags::PEEK | DONT_WAIT_TO_RECEIVE).map(|(count, _)| count)
}

/// `shutdown(SHUT_WR)`: the other side finds the end behind what was sent.
pub(crate) fn shut_down_sending(socket: impl AsFd) {
    let _ = rustix::net::shutdown(socket, Shutdown::Write);
}

/// `shutdown(SHUT_RDWR)`, for every process that has this end.
pub(crate) fn shut_down(socket: impl AsFd) {
    let _ = rustix::net::shutdown(socket, Shutdown::Both);
}
