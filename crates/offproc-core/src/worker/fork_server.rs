//! The helper process that forks workers: it never runs a job and has one thread.

use crate::sys::fork::{Alone, Side};
use crate::sys::lifeline;
use crate::sys::process::{Child, Extent};
use crate::wire::codec;
use crate::wire::fork::{Ended, Fork, Forked, MESSAGE, pack, unpack};
use crate::wire::frame::{self, Kind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Forks on request until the parent hangs up. Returns in the helper with `None`, and in each worker with the
/// connection it is to serve. A worker that has got no hello yet ends with the helper: nobody else may know of it. `extent`: how much ends with each
/// worker.
pub(super) fn run(alone: &Alone, requests: OwnedFd, extent: Extent) -> Result<Option<OwnedFd>, String> {
    let helper = rustix::process::getpid();
    let mut children: Vec<(u64, Child)> = Vec::new();
    loop {
        let mut watched = vec![PollFd::new(&requests, PollFlags::IN)];
        watched.extend(children.iter().map(|(_, child)| PollFd::new(child.pidfd(), PollFlags::IN)));
        match poll(&mut watched, None) {
            Err(Errno::INTR) => continue,
            other => other.map_err(|e| e.to_string())?,
        };
        let has_request = !watched[0].revents().is_empty();
        drop(watched);
        children.retain(|(id, child)| match child.try_wait(extent) {
            Ok(None) => true,
            ended => {
                let reaped = ended.ok().flatten();
                tell(&requests, &pack(Kind::Ended, &Ended { id: *id, reaped }));
                false
            }
        });
        if !has_request {
            continue;
        }
        let Some((Fork { id }, control)) = receive(&requests)? else {
            end(&children);
            return Ok(None);
        };
        // Or each worker would print it again.
        let _ = io::stdout().flush();
        match alone.fork().and_then(|side| match side {
            Side::Child => Ok(None),
            Side::Parent(pid) => Child::of_fork(pid).map(Some),
        }) {
            Ok(None) => {
                lifeline::hold_maker(helper);
                let _ = rustix::thread::set_name(c"offproc-spare");
                return Ok(Some(control));
            }
            Ok(Some(child)) => {
                announce(&control, &child);
                children.push((id, child));
            }
            Err(e) => {
                let mut refusal = frame::begin();
                let _ = codec::encode_to(&format!("the fork server could not fork: {e}"), &mut refusal);
                frame::finish(Kind::Refused, &mut refusal);
                tell(&control, &refusal);
                tell(&requests, &pack(Kind::Ended, &Ended { id, reaped: None }));
            }
        }
    }
}

/// The parent is done, and so are its workers: what is left has never served.
fn end(children: &[(u64, Child)]) {
    for (_, child) in children {
        child.end();
    }
}

/// The next request; `None` when the parent is done.
pub(crate) fn receive(requests: &OwnedFd) -> Result<Option<(Fork, OwnedFd)>, String> {
    let mut buffer = [0; MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut buffer)];
    let count = loop {
        match rustix::net::recvmsg(requests, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) if message.bytes == 0 => return Ok(None),
            Ok(message) => break message.bytes,
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            Err(e) => return Err(e.to_string()),
        }
    };
    let descriptor = control.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut received) => received.next(),
        _ => None,
    });
    let request = unpack(&buffer[..count]).filter(|frame| frame.kind == Kind::Fork);
    match (request.map(|frame| codec::decode(frame.body())), descriptor) {
        (Some(Ok(fork)), Some(descriptor)) => Ok(Some((fork, descriptor))),
        _ => Err("a message that is no request".to_owned()),
    }
}

/// Tells the parent, on the worker's connection, which process the worker is.
fn announce(control: &OwnedFd, child: &Child) {
    let message = pack(Kind::Forked, &Forked { pid: child.pid() });
    let descriptors: [BorrowedFd<'_>; 1] = [child.pidfd().as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A parent that has changed its mind has hung up; then the worker sees that too.
    let _ = rustix::net::sendmsg(control, &[IoSlice::new(&message)], &mut ancillary, SendFlags::NOSIGNAL);
}

fn tell(socket: &OwnedFd, message: &[u8]) {
    while let Err(Errno::INTR) = rustix::net::send(socket, message, SendFlags::NOSIGNAL) {}
}
