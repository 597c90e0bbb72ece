//! Descriptors that go with bytes over a socket (`SCM_RIGHTS`).

use super::fd_numbers::{add_received, duplicate_high};
use super::flags::{self, RECEIVE_GIFTS};
use super::socket::{Blocking, Socket, Unsent, retry};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

/// What goes along with bytes: a descriptor of any kind.
pub(crate) use std::os::fd::{AsFd as AsGift, BorrowedFd as BorrowedGift, OwnedFd as Gift};

pub(crate) fn borrow(gift: &impl AsGift) -> BorrowedGift<'_> {
    gift.as_fd()
}

/// One that this process keeps, where a job does not close it by mistake.
pub(crate) fn keep(gift: Gift) -> io::Result<Gift> {
    duplicate_high(gift)
}

/// The same, or the one itself where there is no number left.
pub(crate) fn kept(gift: Gift) -> Gift {
    duplicate_high(&gift).unwrap_or(gift)
}

/// A socket as one.
#[allow(clippy::unnecessary_wraps, reason = "other systems have two kinds")]
pub(crate) fn of_socket(socket: &impl AsFd) -> io::Result<BorrowedGift<'_>> {
    Ok(socket.as_fd())
}

/// One as a socket, which it need not be.
#[allow(clippy::unnecessary_wraps, reason = "other systems have two kinds")]
pub(crate) fn into_socket(gift: Gift) -> io::Result<Socket> {
    Ok(gift)
}

/// The list that the receiver has to have before the message: they travel with its first byte, and need none.
#[allow(clippy::unnecessary_wraps, reason = "other mechanisms may fail")]
pub(crate) fn list(_: &impl AsFd, _: &[impl AsFd]) -> Result<Option<Vec<u8>>, Unsent> {
    Ok(None)
}

/// Takes those of a list: no process sends one.
pub(crate) fn take(_: &impl AsFd, _: &[u8], _: &mut Vec<Gift>) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::InvalidData, "a list of handles"))
}

/// How many descriptors go with one message of ours.
pub(crate) const MAX_FDS: usize = 128;

/// `SCM_MAX_FD`: how many the kernel passes at once. It closes at once those that the receiver has no space for.
pub(crate) const SCM_MAX_FD: usize = 253;

/// `sendmsg(SCM_RIGHTS)`: sends bytes, with descriptors on their first one; how many bytes went.
pub(crate) fn send_with(
    socket: impl AsFd,
    bytes: &[u8],
    descriptors: &[impl AsFd],
    blocking: Blocking,
) -> Result<usize, Errno> {
    let flags = blocking.to_send();
    retry(|| {
        if descriptors.is_empty() {
            return rustix::net::send(&socket, bytes, flags);
        }
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)), "a message has room for them");
        rustix::net::sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, flags)
    })
}

/// `recvmsg(MSG_PEEK)`: whether the other side has shut its direction down, and nothing is left to receive.
pub(crate) fn is_at_end(socket: impl AsFd) -> bool {
    let (mut space, mut control) = ([0], RecvAncillaryBuffer::default());
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let peeked = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut space)], &mut control, flags);
    peeked.is_ok_and(|message| message.bytes == 0)
}

/// `recvmsg(MSG_CMSG_CLOEXEC)`: receives bytes, and the descriptors that came with them, which are added to the others.
/// How many bytes came, and the descriptors that there was no place for. Without room for them the kernel would close
/// descriptors in this call, which may take as long as their sender likes.
pub(crate) fn receive(
    socket: impl AsFd,
    space: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    blocking: Blocking,
) -> Result<(usize, Vec<OwnedFd>), Errno> {
    let mut ancillary = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SCM_MAX_FD))];
    let mut control = RecvAncillaryBuffer::new(&mut ancillary);
    let flags = blocking.to_receive() | RECEIVE_GIFTS;
    let message = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(space)], &mut control, flags)?;
    let mut rest = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            rest.extend(add_received(descriptors, received.map(flags::received)));
        }
    }
    Ok((message.bytes, rest))
}
