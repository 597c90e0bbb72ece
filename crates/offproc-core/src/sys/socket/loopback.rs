//! Pairs of connected sockets: TCP over the loopback interface, made by this process with itself. Windows has no pairs
//! of its own, and its sockets in the file system cannot be waited for by every runtime.

use super::fork_registry::TrackedSocket;
use super::readiness::{Interest, wait};
use rustix::net::sockopt::socket_type;
use rustix::net::{SocketType, getpeername, getsockname};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::windows::io::OwnedSocket;
use std::time::{Duration, Instant};

/// How long to wait for our own connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected pair: the first end is ours; the second is for another process. Neither blocks.
///
/// No other process can have either end: each says of the other what that says of itself.
pub(crate) fn pair() -> io::Result<(TrackedSocket, TrackedSocket)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    let theirs = loop {
        match listener.accept() {
            // Any process may connect to a port.
            Ok((theirs, from)) if from == ours.local_addr()? && ours.peer_addr()? == theirs.local_addr()? => {
                break theirs;
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                if !wait(&listener, Interest::Readable, Some(deadline))? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(e) => return Err(e),
        }
    };
    for end in [&ours, &theirs] {
        end.set_nodelay(true)?;
        end.set_nonblocking(true)?;
    }
    Ok(TrackedSocket::pair(ours.into(), theirs.into()))
}

/// The same, for two ends that may both go elsewhere.
pub(crate) fn pair_of_ends() -> io::Result<(TrackedSocket, TrackedSocket)> {
    pair()
}

/// Whether so many more sockets can be opened now: there is no such limit.
pub(crate) fn has_room_for(_: usize) -> io::Result<()> {
    Ok(())
}

/// Whether a socket from another process is one of such a pair: a connection within this machine.
pub(crate) fn is_of_pair(socket: &OwnedSocket) -> bool {
    let is_local = |address| SocketAddr::try_from(address).is_ok_and(|address| address.ip() == Ipv4Addr::LOCALHOST);
    let is_stream = socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM);
    let peer = getpeername(socket).ok().flatten();
    is_stream && getsockname(socket).is_ok_and(is_local) && peer.is_some_and(is_local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::readiness::{Interest, wait_for};
    use crate::sys::socket::{Blocking, send};

    #[test]
    fn what_goes_in_at_one_end_comes_out_at_the_other() {
        let (a, b) = pair().unwrap();
        for (from, to) in [(&a, &b), (&b, &a)] {
            assert_eq!(send(from, b"there", Blocking::No), Ok(5));
            assert!(wait_for(to, Interest::Readable, PATIENCE).unwrap());
            let mut bytes = [0; 8];
            let (count, _) = rustix::net::recv(to, &mut bytes, rustix::net::RecvFlags::empty()).unwrap();
            assert_eq!(&bytes[..count], b"there");
        }
    }
}
