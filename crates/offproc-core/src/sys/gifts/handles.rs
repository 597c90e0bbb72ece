//! Handles and sockets that go with bytes. A connection over TCP carries none, so a frame before that of the message
//! lists what the receiver has of them.
//!
//! The parent duplicates in both directions: it has the worker's process with all rights, and the worker has no rights
//! to the parent's. What a worker lists are handles of its own, and as the parent takes them over it closes them there.

use super::fork_registry::{Behind, Peer, TrackedGift, TrackedSocket};
use super::socket::{self, Blocking, Socket, Unsent, retry};
use super::win32::handle::{self, Handle};
use super::win32::socket as system;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::io;
use std::os::windows::io::{AsHandle, AsSocket, IntoRawHandle, IntoRawSocket, OwnedSocket};
use std::sync::Arc;

pub(crate) use super::any_gift::{AsGift, BorrowedGift, Gift};

/// How many go with one message of ours.
pub(crate) const MAX_FDS: usize = 128;

pub(crate) fn borrow(gift: &impl AsGift) -> BorrowedGift<'_> {
    gift.as_gift()
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

/// A socket as one.
#[expect(clippy::unnecessary_wraps, reason = "as on other systems")]
pub(crate) fn of_socket(socket: &impl AsSocket) -> io::Result<BorrowedGift<'_>> {
    Ok(BorrowedGift::Socket(socket.as_socket()))
}

/// One as a socket of ours, which does not block.
pub(crate) fn into_socket(gift: Gift) -> io::Result<Socket> {
    let socket = OwnedSocket::try_from(gift).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// `send`: sends bytes; how many went. What goes with them was listed before.
pub(crate) fn send_with(
    socket: impl AsFd,
    bytes: &[u8],
    _: &[TrackedGift],
    blocking: Blocking,
) -> Result<usize, Errno> {
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

/// A connection over which gifts are listed.
pub(crate) trait Connection {
    /// In the parent, the worker.
    fn peer(&self) -> Option<&Peer>;
}

impl Connection for TrackedSocket {
    fn peer(&self) -> Option<&Peer> {
        match self.behind() {
            Some(Behind::Process(peer)) => Some(peer),
            _ => None,
        }
    }
}

impl Connection for Arc<Socket> {
    fn peer(&self) -> Option<&Peer> {
        None
    }
}

/// What a list has of a gift: which it is, and then its bytes.
const HANDLE: u8 = 0;
/// A socket that the parent gives away: the words by which its receiver gets it.
const SOCKET: u8 = 1;
/// A socket that a worker gives away, as a handle.
const SOCKET_AS_HANDLE: u8 = 2;

/// The list of the gifts that go with a message, if there are any: the receiver has to have it before the message.
pub(crate) fn list(connection: &impl Connection, gifts: &[TrackedGift]) -> Result<Option<Vec<u8>>, Unsent> {
    if gifts.is_empty() {
        return Ok(None);
    }
    let mut list = Vec::new();
    for gift in gifts {
        let listed = match connection.peer() {
            Some(worker) => give(worker, gift.as_gift(), &mut list),
            None => leave(gift.as_gift(), &mut list),
        };
        listed.map_err(|e| match connection.peer() {
            Some(worker) if handle::has_ended(worker.process.as_handle()) => Unsent::Gone,
            _ => Unsent::Refused(Errno::from_raw_os_error(e.raw_os_error().unwrap_or_default())),
        })?;
    }
    Ok(Some(list))
}

/// The parent duplicates it into the worker.
fn give(worker: &Peer, gift: BorrowedGift<'_>, list: &mut Vec<u8>) -> io::Result<()> {
    match gift {
        BorrowedGift::Handle(gift) => {
            list.push(HANDLE);
            list.extend(handle::put_into(worker.process.as_handle(), gift)?.to_bytes());
        }
        BorrowedGift::Socket(gift) => {
            list.push(SOCKET);
            list.extend(system::duplicate_for(gift, worker.pid)?);
        }
    }
    Ok(())
}

/// A worker leaves a duplicate for its parent to take, which closes it here.
fn leave(gift: BorrowedGift<'_>, list: &mut Vec<u8>) -> io::Result<()> {
    let (kind, left) = match gift.try_clone_to_owned()? {
        Gift::Handle(gift) => (HANDLE, Handle::of(gift.into_raw_handle())),
        Gift::Socket(gift) => (SOCKET_AS_HANDLE, Handle::of_socket(gift.into_raw_socket())),
    };
    list.push(kind);
    list.extend(left.to_bytes());
    Ok(())
}

/// Takes the gifts of a list.
///
/// # Errors
///
/// The list is no such one, or names what its sender does not have.
pub(crate) fn take(connection: &impl Connection, mut list: &[u8], gifts: &mut Vec<Gift>) -> io::Result<()> {
    while let Some((kind, rest)) = list.split_first() {
        if gifts.len() >= MAX_FDS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a list of too many handles"));
        }
        let (gift, rest) = match (*kind, connection.peer()) {
            (SOCKET, None) => {
                let (words, rest) = rest.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
                (Gift::Socket(system::from_words(words)?), rest)
            }
            (HANDLE, None) => {
                let (given, rest) = rest.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
                (Gift::Handle(handle::given(Handle::from_bytes(*given))?), rest)
            }
            (kind @ (HANDLE | SOCKET_AS_HANDLE), Some(worker)) => {
                let (left, rest) = rest.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
                let taken = handle::take_out_of(worker.process.as_handle(), Handle::from_bytes(*left))?;
                let gift = if kind == HANDLE { Gift::Handle(taken) } else { Gift::Socket(system::of_handle(taken)?) };
                (gift, rest)
            }
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a list of unknown handles")),
        };
        gifts.push(gift);
        list = rest;
    }
    Ok(())
}

#[cfg(test)]
#[path = "handles/tests.rs"]
mod tests;
