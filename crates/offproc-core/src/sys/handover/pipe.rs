//! The connection of a worker: its parent duplicates the socket for it, and sends the words by which it gets the
//! duplicate through a pipe, which is the worker's stdin. So no handle of ours is ever inherited.

use super::fork_registry::{Behind, Peer, TrackedSocket};
use super::peer;
use super::process::Started;
use super::readiness::{self, Interest};
use super::socket::{self, Blocking, Socket, Unsent};
use super::win32::console::{self, Standard};
use super::win32::socket as system;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::io::AsSocket;
use std::process::Command;

/// A connection that goes to a process that is to be started.
#[must_use]
pub(crate) struct Handover(TrackedSocket);

impl Handover {
    /// The command's process gets this end.
    #[expect(clippy::unnecessary_wraps, reason = "other mechanisms may fail")]
    pub(crate) fn begin(_: &mut Command, socket: TrackedSocket) -> io::Result<Self> {
        Ok(Self(socket))
    }

    /// The process has started: gives it the connection. Its stdin is at its end then.
    pub(crate) fn finish(self, started: &mut Started) -> io::Result<()> {
        let worker = Peer { process: started.process.try_clone()?, pid: started.pid };
        self.0.is_before(Behind::Process(worker));
        started.stdin.write_all(&system::duplicate_for(self.0.as_socket(), started.pid)?)
    }
}

/// Confirms that stdin is a private pipe of the parent's; see [`peer`].
pub(crate) fn must_be_of_parent() -> io::Result<()> {
    peer::must_be_parent()
}

/// Takes the connection from stdin, which is empty from here on. The connection does not block.
pub(crate) fn take() -> io::Result<Socket> {
    let stdin = console::standard(Standard::Input).ok_or(io::ErrorKind::NotFound)?;
    let mut words = [0; system::WORDS];
    File::from(stdin.try_clone_to_owned()?).read_exact(&mut words)?;
    let socket = system::from_words(&words)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Sends the parent the reason why this process is not its worker; false if stdin does not seem to be the parent's.
pub(crate) fn refuse(reason: &[u8]) -> bool {
    let Some(connection) = must_be_of_parent().and_then(|()| take()).ok() else { return false };
    let mut rest = reason;
    while !rest.is_empty() {
        match socket::send(&connection, rest, Blocking::Yes).map_err(Unsent::from) {
            Ok(count) => rest = &rest[count..],
            Err(Unsent::Full) => drop(readiness::wait(&connection, Interest::Writable, None)),
            Err(_) => return false,
        }
    }
    socket::shut_down_sending(&connection);
    true
}
