//! A counter that one process adds to and another takes from: a pair of sockets, and a byte for each. Within this
//! process, a datagram socket that is connected to itself stands for one.

use super::fork_registry::{TrackedFd, TrackedGift};
use super::gifts::Gift;
use super::pairs;
use super::socket::{self, Blocking, Unsent};
use rustix::net::RecvFlags;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::windows::io::{AsSocket, BorrowedSocket, OwnedSocket};

/// A counter at 0: our end, and that of who adds.
pub(crate) fn open() -> io::Result<(TrackedFd, TrackedGift)> {
    let (ours, theirs) = pairs::pair()?;
    Ok((ours, Gift::Socket(theirs.into_owned()?).into()))
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
        add(&self.0)
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

/// Adds one, if there is room: a socket counts up to some thousands.
pub(crate) fn add_one(counter: &Gift) -> io::Result<()> {
    add(counter.socket().ok_or(io::ErrorKind::InvalidInput)?)
}

fn add(socket: impl AsSocket) -> io::Result<()> {
    match socket::send(socket.as_socket(), &[1], Blocking::No) {
        Ok(_) => Ok(()),
        Err(e) if Unsent::from(e) == Unsent::Full => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Takes the count, and sets it to 0.
pub(crate) fn take(counter: &TrackedFd) -> u64 {
    let (mut count, mut space) = (0, [0; 4096]);
    // Not for ever: the other process may add all the while. A datagram socket gives one at a time.
    for _ in 0..4096 {
        match rustix::net::recv(counter, &mut space, RecvFlags::empty()) {
            Ok((taken @ 1.., _)) => count += taken as u64,
            Ok(_) | Err(_) => break,
        }
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
