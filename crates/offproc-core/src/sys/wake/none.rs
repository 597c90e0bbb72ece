//! A counter that one process adds to and another takes from: not on this system so far. Within this process, a
//! datagram socket that is connected to itself stands for one.

use super::fork_registry::{TrackedFd, TrackedGift};
use super::gifts::Gift;
use super::socket::{self, Blocking, Unsent};
use rustix::net::RecvFlags;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::windows::io::{AsSocket, BorrowedSocket, OwnedSocket};

pub(crate) fn open() -> io::Result<(TrackedFd, TrackedGift)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A counter of this process alone. It can be waited for.
#[derive(Clone, Debug)]
pub(crate) struct OwnCounter(TrackedFd);

impl OwnCounter {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // From here on it receives from itself alone.
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(Self(OwnedSocket::from(socket).into()))
    }

    pub(crate) fn add_one(&self) -> io::Result<()> {
        match socket::send(&self.0, &[1], Blocking::No) {
            Ok(_) => Ok(()),
            Err(e) if Unsent::from(e) == Unsent::Full => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    pub(crate) fn take(&self) -> u64 {
        take(&self.0)
    }
}

impl AsSocket for OwnCounter {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

pub(crate) fn add_one(_: &Gift) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes the count, and sets it to 0.
pub(crate) fn take(counter: &TrackedFd) -> u64 {
    let mut count = 0;
    while rustix::net::recv(counter, &mut [0; 1], RecvFlags::empty()).is_ok_and(|(bytes, _)| bytes > 0) {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_taken_once() {
        let counter = OwnCounter::open().unwrap();
        assert_eq!(counter.take(), 0);
        counter.add_one().unwrap();
        counter.add_one().unwrap();
        assert_eq!(counter.take(), 2);
        assert_eq!(counter.take(), 0);
    }
}
