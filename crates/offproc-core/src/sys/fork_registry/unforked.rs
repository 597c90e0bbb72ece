//! Sockets of this process, on a system without `fork`: there is nothing to register.

use super::gifts::Gift;
use super::socket::peek;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::Shutdown;
use std::io;
use std::os::windows::io::{AsHandle, AsRawSocket, AsSocket, BorrowedHandle, BorrowedSocket, OwnedSocket, RawSocket};
use std::sync::{Arc, Weak};

/// A socket, closed when its last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct TrackedSocket(Arc<OwnedSocket>);

impl From<OwnedSocket> for TrackedSocket {
    fn from(socket: OwnedSocket) -> Self {
        Self(Arc::new(socket))
    }
}

impl AsSocket for TrackedSocket {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

impl AsRawSocket for TrackedSocket {
    fn as_raw_socket(&self) -> RawSocket {
        self.0.as_raw_socket()
    }
}

impl TrackedSocket {
    /// Returns it; a duplicate, if there is a clone.
    pub(crate) fn into_owned(self) -> io::Result<OwnedSocket> {
        Arc::try_unwrap(self.0).or_else(|shared| shared.try_clone())
    }

    /// `shutdown(SD_BOTH)`.
    pub(crate) fn shut_down(&self) {
        let _ = rustix::net::shutdown(self, Shutdown::Both);
    }

    /// Nothing takes long to close here.
    #[allow(clippy::unused_self, reason = "on other systems it is marked")]
    pub(crate) fn close_elsewhere(&self) {}

    pub(crate) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.0))
    }
}

/// What else is waited for: only sockets can be, as yet.
pub(crate) type TrackedFd = TrackedSocket;

/// A handle that is about to go to another process, closed when its last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct TrackedGift(Arc<Gift>);

impl From<Gift> for TrackedGift {
    fn from(gift: Gift) -> Self {
        Self(Arc::new(gift))
    }
}

impl AsHandle for TrackedGift {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

impl TrackedGift {
    /// Returns it; a duplicate, if there is a clone.
    pub(crate) fn into_owned(self) -> io::Result<Gift> {
        Arc::try_unwrap(self.0).or_else(|shared| shared.try_clone())
    }
}

/// An end of a pair that has another owner.
#[derive(Debug)]
pub(crate) struct WeakSocket(Weak<OwnedSocket>);

/// Of a pair whose other end is closed in all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketEnd {
    /// All that we have sent was read. Never known here: a connection over TCP does not say.
    AllRead,
    /// Something may not have been read.
    Unread,
}

impl WeakSocket {
    /// `WSAPoll`: whether the other end is closed. Nothing of this changes what a reader finds.
    pub(crate) fn end(&self) -> Option<SocketEnd> {
        let socket = self.0.upgrade()?;
        let mut polled = [PollFd::new(&*socket, PollFlags::empty())];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).ok()?;
        polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP).then_some(SocketEnd::Unread)
    }

    /// What comes next, which stays there: how many bytes of it fit; 0 where there is nothing.
    pub(crate) fn peek(&self, space: &mut [u8]) -> usize {
        self.0.upgrade().and_then(|socket| peek(&*socket, space).ok()).unwrap_or(0)
    }

    /// `shutdown(SD_BOTH)`.
    pub(crate) fn shut_down(&self) {
        if let Some(socket) = self.0.upgrade() {
            let _ = rustix::net::shutdown(&*socket, Shutdown::Both);
        }
    }
}
