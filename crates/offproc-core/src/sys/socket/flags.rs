//! What calls on a socket are passed, and what they return.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

pub(super) use super::flags::NO_SIGNAL;
pub(super) const DONT_WAIT_TO_SEND: SendFlags = SendFlags::DONTWAIT;
pub(super) const DONT_WAIT_TO_RECEIVE: RecvFlags = RecvFlags::DONTWAIT;
/// The errors of a call on a connection whose other end is gone.
pub(super) const GONE: [Errno; 2] = [Errno::PIPE, Errno::CONNRESET];
/// What was sent arrives, although its sender is closed with bytes that it has not read.
pub(crate) const SENT_ARRIVES: bool = true;
pub(super) const NO_MEMORY: Errno = Errno::NOMEM;
