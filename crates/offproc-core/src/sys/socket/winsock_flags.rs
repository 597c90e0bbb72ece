//! What calls on a socket are passed, and what they return.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

/// There are no signals.
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();
/// No socket here ever blocks.
pub(super) const DONT_WAIT_TO_SEND: SendFlags = SendFlags::empty();
pub(super) const DONT_WAIT_TO_RECEIVE: RecvFlags = RecvFlags::empty();
/// The errors of a call on a connection whose other end is gone.
pub(super) const GONE: [Errno; 3] = [Errno::CONNRESET, Errno::CONNABORTED, Errno::SHUTDOWN];
/// Over TCP, what is closed with bytes that it has not read, or that come later, resets the connection, and a reset may
/// throw away what had arrived.
pub(crate) const SENT_ARRIVES: bool = false;
pub(super) const NO_MEMORY: Errno = Errno::NOBUFS;
