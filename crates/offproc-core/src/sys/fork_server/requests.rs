//! What comes to a fork server.

use super::flags;
use super::socket::{Socket, retry};
use crate::error::about;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;

/// What has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    pub(crate) has_program: bool,
    /// There is a request, or the end of them.
    pub(crate) has_request: bool,
    /// No process has the other end any more.
    pub(crate) is_cut_off: bool,
}

impl News {
    /// `events`: of the socket that the requests come by.
    pub(super) fn new(events: PollFlags, has_program: bool) -> Self {
        let is_cut_off = events.intersects(PollFlags::HUP | PollFlags::ERR);
        Self { has_program, has_request: !events.is_empty(), is_cut_off }
    }
}

/// `recvmsg`: a message and the connection that came with it; `None` if there will be no more.
pub(crate) fn receive(requests: &Socket, message: &mut [u8]) -> io::Result<Option<(usize, Option<Socket>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(message)];
    let count = match retry(|| rustix::net::recvmsg(requests, &mut into, &mut control, flags::RECEIVE_GIFTS)) {
        Ok(message) if message.bytes == 0 => return Ok(None),
        Ok(message) => message.bytes,
        Err(Errno::CONNRESET) => return Ok(None),
        Err(e) => return Err(about("a request for a worker could not be received", e)),
    };
    let connection = control.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut received) => received.next().map(flags::received),
        _ => None,
    });
    Ok(Some((count, connection)))
}
