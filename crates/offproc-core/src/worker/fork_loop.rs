//! The fork loop: a fork server forks workers. It has one thread and never runs a job.

use super::stage::{ReadyForkServer, Stage};
use crate::error::about;
use crate::job::codec;
use crate::sys::child::Child;
use crate::sys::fd_numbers::duplicate_high;
use crate::sys::fork::Side;
use crate::sys::process::ProcessHandle;
use crate::sys::{lifeline, random, signals, thread};
use crate::wire::fork_server::{Ended, ForkRequest, Forked, MESSAGE, pack, unpack};
use crate::wire::frame::{self, Kind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use rustix::process::{PidfdFlags, getppid, pidfd_open};
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Forks on request until the parent closes its end. If the parent only closes its sending direction, it wants no more
/// workers: the fork server goes on to report the ends of those that are left, up to the last. A worker that has got no
/// hello yet ends with the fork server, as the parent may not know of it.
pub(super) fn fork_loop(ready: ReadyForkServer) -> io::Result<Stage> {
    Ok(match serve(&ready)? {
        Served::Requests => Stage::Over(0),
        Served::AsChild(control) => {
            // The fork server's own channel: the parent must be able to see the fork server's end.
            drop(ready);
            signals::reset();
            Stage::Forked(duplicate_high(control)?)
        }
    })
}

/// How the fork loop ends.
enum Served {
    /// In the fork server, when there are no more requests.
    Requests,
    /// In a new worker, with the connection that it is to serve.
    AsChild(OwnedFd),
}

fn serve(ready: &ReadyForkServer) -> io::Result<Served> {
    let ReadyForkServer { alone, requests, extent, .. } = ready;
    let fork_server = rustix::process::getpid();
    // The lifeline shows the program's end, unless another process has a copy of it.
    let program = getppid().and_then(|program| pidfd_open(program, PidfdFlags::empty()).ok());
    let program = program.and_then(|program| duplicate_high(program).ok());
    let mut children: Vec<(u64, Child<ProcessHandle>)> = Vec::new();
    let mut is_retired = false;
    loop {
        // `poll` reports the end of both directions without being asked for it.
        let requested = if is_retired { PollFlags::empty() } else { PollFlags::IN };
        let mut watched = vec![PollFd::new(requests, requested)];
        watched.extend(program.iter().map(|program| PollFd::new(program, PollFlags::IN)));
        watched.extend(children.iter().map(|(_, child)| PollFd::new(child.pidfd(), PollFlags::IN)));
        match poll(&mut watched, None) {
            Err(Errno::INTR) => continue,
            other => other.map_err(|e| about("it could not wait for the ends of its workers", e))?,
        };
        let news = watched[0].revents();
        let has_program = program.is_none() || watched[1].revents().is_empty();
        drop(watched);
        children.retain(|(id, child)| match child.try_wait(*extent) {
            Ok(None) => true,
            ended => {
                let reaped = ended.ok().flatten();
                send(requests, &pack(Kind::Ended, &Ended { id: *id, reaped }));
                false
            }
        });
        if !has_program {
            end(&children);
            return Ok(Served::Requests);
        }
        if is_retired && children.is_empty() {
            return Ok(Served::Requests);
        }
        if news.is_empty() {
            continue;
        }
        let Some((ForkRequest { id }, control)) = receive(requests)? else {
            if news.intersects(PollFlags::HUP | PollFlags::ERR) || children.is_empty() {
                end(&children);
                return Ok(Served::Requests);
            }
            is_retired = true;
            continue;
        };
        // Flush, or each worker would print it again.
        let _ = io::stdout().flush();
        match alone.fork().and_then(|side| match side {
            Side::Child => Ok(None),
            Side::Parent(pid) => Child::of_fork(pid).map(Some),
        }) {
            Ok(None) => {
                lifeline::die_with_forker(fork_server);
                random::reseed();
                thread::set_own_name(c"offproc-spare");
                return Ok(Served::AsChild(control));
            }
            Ok(Some(child)) => {
                announce(&control, &child);
                children.push((id, child));
            }
            Err(e) => {
                let mut refusal = frame::begin();
                let _ = codec::encode_to(&format!("the fork server could not fork: {e}"), &mut refusal);
                frame::finish(Kind::Refused, &mut refusal);
                send(&control, &refusal);
                send(requests, &pack(Kind::Ended, &Ended { id, reaped: None }));
            }
        }
    }
}

/// The parent has ended or needs no more workers: kills those that have never served.
fn end(children: &[(u64, Child<ProcessHandle>)]) {
    for (_, child) in children {
        child.end();
    }
}

/// The next request; `None` if there will be no more.
pub(crate) fn receive(requests: &OwnedFd) -> io::Result<Option<(ForkRequest, OwnedFd)>> {
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
            Err(e) => return Err(about("a request for a worker could not be received", e)),
        }
    };
    let descriptor = control.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut received) => received.next(),
        _ => None,
    });
    let request = unpack(&buffer[..count]).filter(|frame| frame.kind == Kind::ForkRequest);
    match (request.map(|frame| codec::decode(frame.body())), descriptor) {
        (Some(Ok(fork)), Some(descriptor)) => Ok(Some((fork, descriptor))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a message is not a request for a worker")),
    }
}

/// Sends the parent the worker's process id and pidfd, on the worker's connection.
fn announce(control: &OwnedFd, child: &Child<ProcessHandle>) {
    let message = pack(Kind::Forked, &Forked { pid: child.pid() });
    let descriptors: [BorrowedFd<'_>; 1] = [child.pidfd().as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    // If the parent has cancelled the start, it has closed its end; the worker sees that, too.
    let _ = rustix::net::sendmsg(control, &[IoSlice::new(&message)], &mut ancillary, SendFlags::NOSIGNAL);
}

fn send(socket: &OwnedFd, message: &[u8]) {
    while let Err(Errno::INTR) = rustix::net::send(socket, message, SendFlags::NOSIGNAL) {}
}
