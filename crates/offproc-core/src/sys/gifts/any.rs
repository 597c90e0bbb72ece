//! What goes along with bytes: a handle, or a socket, which is closed in another way and moves in another way.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::windows::io::{AsHandle, AsSocket, BorrowedHandle, BorrowedSocket, OwnedHandle, OwnedSocket};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::rc::Rc;
use std::sync::Arc;

/// A handle or a socket, as its owner has it.
#[derive(Debug)]
pub enum Gift {
    /// Of a file, a pipe, and so on.
    Handle(OwnedHandle),
    Socket(OwnedSocket),
}

/// A handle or a socket of another owner.
#[derive(Clone, Copy, Debug)]
pub enum BorrowedGift<'a> {
    Handle(BorrowedHandle<'a>),
    Socket(BorrowedSocket<'a>),
}

impl BorrowedGift<'_> {
    /// A duplicate of it.
    pub(crate) fn try_clone_to_owned(&self) -> io::Result<Gift> {
        Ok(match self {
            Self::Handle(handle) => Gift::Handle(handle.try_clone_to_owned()?),
            Self::Socket(socket) => Gift::Socket(socket.try_clone_to_owned()?),
        })
    }
}

impl Gift {
    /// The same.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.as_gift().try_clone_to_owned()
    }

    /// One that is no socket.
    pub(super) fn handle(&self) -> Option<BorrowedHandle<'_>> {
        match self {
            Self::Handle(handle) => Some(handle.as_handle()),
            Self::Socket(_) => None,
        }
    }

    /// One that is.
    pub(super) fn socket(&self) -> Option<BorrowedSocket<'_>> {
        match self {
            Self::Handle(_) => None,
            Self::Socket(socket) => Some(socket.as_socket()),
        }
    }
}

/// What has a handle or a socket: a type of std's, or a reference or pointer to one.
pub trait AsGift {
    fn as_gift(&self) -> BorrowedGift<'_>;
}

impl AsGift for Gift {
    fn as_gift(&self) -> BorrowedGift<'_> {
        match self {
            Self::Handle(handle) => BorrowedGift::Handle(handle.as_handle()),
            Self::Socket(socket) => BorrowedGift::Socket(socket.as_socket()),
        }
    }
}

impl AsGift for BorrowedHandle<'_> {
    fn as_gift(&self) -> BorrowedGift<'_> {
        BorrowedGift::Handle(*self)
    }
}

impl AsGift for BorrowedSocket<'_> {
    fn as_gift(&self) -> BorrowedGift<'_> {
        BorrowedGift::Socket(*self)
    }
}

/// One came where the other was expected.
#[derive(Debug)]
pub struct OtherKind(&'static str);

impl fmt::Display for OtherKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! gifts {
    ($variant:ident by $borrow:ident, $other:literal: $($kind:ty),+) => {$(
        impl AsGift for $kind {
            fn as_gift(&self) -> BorrowedGift<'_> {
                BorrowedGift::$variant(self.$borrow())
            }
        }

        impl TryFrom<Gift> for $kind {
            type Error = OtherKind;

            fn try_from(gift: Gift) -> Result<Self, OtherKind> {
                match gift {
                    Gift::$variant(gift) => Ok(gift.into()),
                    _ => Err(OtherKind($other)),
                }
            }
        }
    )+};
}
gifts!(Handle by as_handle, "a socket came in place of the handle of a file or a pipe":
    OwnedHandle, File, ChildStdin, ChildStdout, ChildStderr);
gifts!(Socket by as_socket, "the handle of a file or a pipe came in place of a socket":
    OwnedSocket, TcpStream, TcpListener, UdpSocket);

macro_rules! pointers {
    ($($kind:ty),+) => {$(
        impl<T: AsGift + ?Sized> AsGift for $kind {
            fn as_gift(&self) -> BorrowedGift<'_> {
                (**self).as_gift()
            }
        }
    )+};
}
pointers!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);
