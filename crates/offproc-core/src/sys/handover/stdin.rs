//! The connection of a worker that is a program of its own: it is the worker's stdin.

use super::fd_numbers::duplicate_high;
use super::fork_registry::TrackedSocket;
use super::peer;
use super::socket::{self, Blocking, Socket};
use super::standard::restore_standard;
use std::io;
use std::process::{Child, Command, Stdio};

/// A connection that goes to a process that is to be started.
#[must_use]
pub(crate) struct Handover(());

impl Handover {
    /// The command's process gets this end.
    pub(crate) fn begin(command: &mut Command, socket: TrackedSocket) -> io::Result<Self> {
        command.stdin(Stdio::from(socket.into_owned()?));
        Ok(Self(()))
    }

    /// The process has started. On this system it has the connection already.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "other mechanisms give it away here")]
    pub(crate) fn finish(self, _child: &mut Child) -> io::Result<()> {
        Ok(())
    }
}

/// Confirms that stdin is a private connection of the parent's; see [`peer`].
pub(crate) fn must_be_of_parent() -> io::Result<()> {
    peer::must_be_parent(rustix::stdio::stdin())
}

/// Takes the connection from stdin, which is empty from here on.
pub(crate) fn take() -> io::Result<Socket> {
    let control = duplicate_high(rustix::stdio::stdin())?;
    restore_standard()?;
    Ok(control)
}

/// Sends the parent the reason why this process is not its worker; false if stdin does not seem to be the parent's.
pub(crate) fn refuse(reason: &[u8]) -> bool {
    let stdin = rustix::stdio::stdin();
    peer::is_parents(stdin) && socket::send(stdin, reason, Blocking::Yes) == Ok(reason.len())
}
