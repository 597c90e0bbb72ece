//! Bytes and the descriptors that go with them, over a socket.

use super::descriptors::Descriptor;
use crate::wire::attachments::MOST;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// Sends bytes, with descriptors on their first one; how many bytes went.
pub(crate) fn send_with(
    socket: impl AsFd,
    bytes: &[u8],
    descriptors: &[Descriptor],
    flags: SendFlags,
) -> Result<usize, Errno> {
    if descriptors.is_empty() {
        return rustix::net::send(socket, bytes, flags);
    }
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)), "as many as a message can have");
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)
}
