//! Sockets of this process, on a system without `fork`: there is nothing to register.

use super::any_gift::{AsGift, BorrowedGift, Gift};
use super::pipe_reader::Reader;
use super::socket::peek;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::Shutdown;
use std::io;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, OwnedHandle, OwnedSocket, RawSocket};
use std::sync::{Arc, OnceLock, Weak};

/// A socket, closed when its last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct TrackedSocket {
    socket: Arc<OwnedSocket>,
    /// What there is behind it. The two ends of a pair share that.
    behind: Arc<OnceLock<Behind>>,
}

/// What a socket stands for.
#[derive(Debug)]
pub(super) enum Behind {
    /// Of a pair: the process that has one of its ends.
    Process(Peer),
    /// The pipe that it says the news of.
    Pipe(Reader),
}

/// The process at the other end of a connection, as its parent has it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(super) process: OwnedHandle,
    pub(super) pid: u32,
}

impl From<OwnedSocket> for TrackedSocket {
    fn from(socket: OwnedSocket) -> Self {
        Self { socket: Arc::new(socket), behind: Arc::default() }
    }
}

impl AsSocket for TrackedSocket {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

impl AsRawSocket for TrackedSocket {
    fn as_raw_socket(&self) -> RawSocket {
        self.socket.as_raw_socket()
    }
}

impl TrackedSocket {
    /// The two ends of a pair.
    pub(super) fn pair(ours: OwnedSocket, theirs: OwnedSocket) -> (Self, Self) {
        let behind: Arc<OnceLock<Behind>> = Arc::default();
        let of = |socket| Self { socket: Arc::new(socket), behind: Arc::clone(&behind) };
        (of(ours), of(theirs))
    }

    /// From here on it stands for that.
    pub(super) fn is_before(&self, what: Behind) {
        let _ = self.behind.set(what);
    }

    pub(super) fn behind(&self) -> Option<&Behind> {
        self.behind.get()
    }

    /// Returns it; a duplicate, if there is a clone.
    pub(crate) fn into_owned(self) -> io::Result<OwnedSocket> {
        Arc::try_unwrap(self.socket).or_else(|shared| shared.try_clone())
    }

    /// `shutdown(SD_BOTH)`.
    pub(crate) fn shut_down(&self) {
        let _ = rustix::net::shutdown(self, Shutdown::Both);
    }

    /// Nothing takes long to close here.
    #[allow(clippy::unused_self, reason = "on other systems it is marked")]
    pub(crate) fn close_elsewhere(&self) {}

    pub(crate) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.socket))
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

impl AsGift for TrackedGift {
    fn as_gift(&self) -> BorrowedGift<'_> {
        self.0.as_gift()
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
