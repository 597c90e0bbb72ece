//! Handles that go with bytes: not on this system so far.

use super::socket::{self, Blocking, Socket, retry};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::io;

/// What goes along with bytes: a handle of any kind.
pub(crate) use std::os::windows::io::{AsHandle as AsGift, BorrowedHandle as BorrowedGift, OwnedHandle as Gift};

/// How many go with one message of ours.
pub(crate) const MAX_FDS: usize = 128;

pub(crate) fn borrow(gift: &impl AsGift) -> BorrowedGift<'_> {
    gift.as_handle()
}

/// Whether they can travel at all.
///
/// # Errors
///
/// They cannot.
pub(crate) fn may_travel() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "handles do not travel on Windows so far"))
}

/// One that this process keeps.
#[expect(clippy::unnecessary_wraps, reason = "other systems duplicate it")]
pub(crate) fn keep(gift: Gift) -> io::Result<Gift> {
    Ok(gift)
}

/// The same.
pub(crate) fn kept(gift: Gift) -> Gift {
    gift
}

/// A socket is no handle.
pub(crate) fn of_socket(_: &impl AsFd) -> io::Result<BorrowedGift<'_>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A handle is no socket.
pub(crate) fn into_socket(_: Gift) -> io::Result<Socket> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `send`: sends bytes; how many went.
pub(crate) fn send_with(
    socket: impl AsFd,
    bytes: &[u8],
    gifts: &[impl AsGift],
    blocking: Blocking,
) -> Result<usize, Errno> {
    assert!(gifts.is_empty(), "none were attached");
    socket::send(socket, bytes, blocking)
}

/// `recv(MSG_PEEK)`: whether the other side has shut its direction down, and nothing is left to receive.
pub(crate) fn is_at_end(socket: impl AsFd) -> bool {
    rustix::net::recv(socket, &mut [0; 1], RecvFlags::PEEK).is_ok_and(|(count, _)| count == 0)
}

/// `recv`: receives bytes; how many came, and none that there is no place for.
pub(crate) fn receive(
    socket: impl AsFd,
    space: &mut [u8],
    _gifts: &mut Vec<Gift>,
    _blocking: Blocking,
) -> Result<(usize, Vec<Gift>), Errno> {
    let socket = socket.as_fd();
    retry(|| rustix::net::recv(socket, &mut *space, RecvFlags::empty())).map(|(count, _)| (count, Vec::new()))
}
