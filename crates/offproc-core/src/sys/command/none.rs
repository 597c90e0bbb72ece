//! Workers behind a command: not on this system so far, whose pipes cannot be awaited.

use super::fork_registry::{TrackedFd, TrackedGift};
use super::process::Started;
use rustix::io::Errno;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// Whether this system has such workers.
pub(crate) const IS_SUPPORTED: bool = false;

pub(crate) use super::socket::Socket as End;

#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) stdin: TrackedFd,
    pub(crate) stdout: TrackedFd,
}

pub(crate) fn spawn(_: &mut Command, _: TrackedGift) -> io::Result<(Started, Pipes)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn read<T>(_: T, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

pub(crate) fn send<T>(_: T, _: &[u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

pub(crate) fn write_both<T>(_: T, _: &[u8], _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn has_terminal() -> bool {
    false
}

pub(crate) fn take_streams() -> io::Result<(End, End)> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no workers behind a command so far"))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) inlet: bool,
    pub(crate) held: bool,
}

pub(crate) fn connect(_: SocketAddr, _: &[u8]) -> io::Result<(End, End)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn wait(_: [&End; 2], _: Option<&End>, _: bool, _: Duration) -> io::Result<Ready> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn end_now() -> ! {
    super::fork::exit_at_once(1)
}

pub(crate) fn host() -> String {
    String::new()
}
