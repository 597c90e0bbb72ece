//! Closing what comes from a worker. Handles do not linger.

use super::gifts::{Gift, receive};
use super::socket::{Blocking, Socket};
use rustix::fd::AsFd;
use rustix::io::Errno;

/// Closes handles from a worker.
pub(crate) fn discard(gifts: impl IntoIterator<Item = Gift>) {
    gifts.into_iter().for_each(drop);
}

/// Closes a socket from a worker.
pub(crate) fn discard_socket(socket: Socket) {
    drop(socket);
}

/// `recv`: receives bytes; how many came.
pub(crate) fn receive_with(
    socket: impl AsFd,
    space: &mut [u8],
    gifts: &mut Vec<Gift>,
    blocking: Blocking,
) -> Result<usize, Errno> {
    receive(socket, space, gifts, blocking).map(|(count, _)| count)
}

/// [`receive_with`], without waiting.
pub(crate) fn receive_some(socket: impl AsFd, space: &mut [u8], gifts: &mut Vec<Gift>) -> Result<usize, Errno> {
    receive_with(socket, space, gifts, Blocking::No)
}
