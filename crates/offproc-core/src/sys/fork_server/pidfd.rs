//! What a fork server waits for, and how it announces a worker: by the pidfd, which outlives the fork server.

pub(crate) use super::fork_requests::{News, receive};

use super::child::Child;
use super::fd_numbers::duplicate_high;
use super::process::ProcessHandle;
use super::socket::Socket;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{PidfdFlags, getppid, pidfd_open};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Whether this system has fork servers.
pub(crate) const IS_SUPPORTED: bool = true;

/// The program that has started this fork server. The lifeline shows its end, unless another process has a copy of it.
#[derive(Debug)]
pub(crate) struct Program(Option<OwnedFd>);

impl Program {
    /// `pidfd_open(getppid())`.
    pub(crate) fn of_this_process() -> Self {
        let program = getppid().and_then(|program| pidfd_open(program, PidfdFlags::empty()).ok());
        Self(program.and_then(|program| duplicate_high(program).ok()))
    }
}

/// `poll`: waits for a request, for the end of a worker, or for the program's. `None`: interrupted.
pub(crate) fn wait<'a>(
    requests: &Socket,
    is_retired: bool,
    program: &Program,
    children: impl Iterator<Item = &'a Child<ProcessHandle>>,
) -> io::Result<Option<News>> {
    // `poll` reports the end of both directions without being asked for it.
    let requested = if is_retired { PollFlags::empty() } else { PollFlags::IN };
    let mut watched = vec![PollFd::new(requests, requested)];
    watched.extend(program.0.iter().map(|program| PollFd::new(program, PollFlags::IN)));
    watched.extend(children.map(|child| PollFd::new(child.pidfd(), PollFlags::IN)));
    match poll(&mut watched, None) {
        Err(Errno::INTR) => return Ok(None),
        other => other?,
    };
    let events = watched[0].revents();
    Ok(Some(News::new(events, program.0.is_none() || watched[1].revents().is_empty())))
}

/// `sendmsg(SCM_RIGHTS)`: sends the parent a message with the worker's pidfd, on the worker's connection.
pub(crate) fn announce(connection: &Socket, message: &[u8], child: &Child<ProcessHandle>) {
    let descriptors: [BorrowedFd<'_>; 1] = [child.pidfd().as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    // If the parent has cancelled the start, it has closed its end; the worker sees that, too.
    let _ = rustix::net::sendmsg(connection, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL);
}
