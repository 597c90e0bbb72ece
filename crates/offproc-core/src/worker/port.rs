//! The worker's end of its connection: blocking, as a worker has nothing else to do.

use crate::wire::frame::{Decoder, Frame, Kind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// What a worker finds when it looks for work.
pub(crate) enum Next {
    /// A frame of the parent.
    Frame(Frame),
    /// The parent has closed its end: leave.
    Closed,
    /// Nothing came for as long as it may stay idle.
    Idle,
}

/// A port over a stream socket.
#[derive(Debug)]
pub(crate) struct Port {
    socket: OwnedFd,
    decoder: Decoder,
}

impl Port {
    pub(crate) fn new(socket: OwnedFd, limit: usize) -> Self {
        Self { socket, decoder: Decoder::new(limit) }
    }

    /// From here on frames may be this large.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.decoder.set_limit(limit);
    }

    /// Waits for the next frame, for at most `patience`.
    pub(crate) fn next(&mut self, patience: Option<Duration>) -> io::Result<Next> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Next::Frame(frame));
            }
            if let Some(patience) = patience
                && !self.decoder.is_midway()
                && !self.wait_readable(patience)?
            {
                return Ok(Next::Idle);
            }
            match rustix::net::recv(&self.socket, self.decoder.space(), RecvFlags::empty()) {
                Ok((0, _)) => return Ok(Next::Closed),
                Ok((count, _)) => self.decoder.advance(count),
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(Next::Closed),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Receives the first frame and the descriptors that come with it.
    pub(crate) fn first(&mut self) -> io::Result<(Option<Frame>, Vec<OwnedFd>)> {
        let mut descriptors = Vec::new();
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok((Some(frame), descriptors));
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(self.decoder.space())];
            match rustix::net::recvmsg(&self.socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(message) if message.bytes == 0 => return Ok((None, descriptors)),
                Ok(message) => {
                    for part in control.drain() {
                        if let RecvAncillaryMessage::ScmRights(received) = part {
                            descriptors.extend(received);
                        }
                    }
                    self.decoder.advance(message.bytes);
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Sends a whole frame.
    pub(crate) fn send(&self, kind: Kind, frame: &mut [u8]) -> io::Result<()> {
        crate::wire::frame::finish(kind, frame);
        let mut rest = &*frame;
        while !rest.is_empty() {
            match rustix::net::send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                // A job has made the socket non-blocking.
                Err(Errno::AGAIN) => {
                    poll(&mut [PollFd::new(&self.socket, PollFlags::OUT)], None).or_else(ignore_interrupt)?;
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn wait_readable(&self, patience: Duration) -> io::Result<bool> {
        let deadline = std::time::Instant::now().checked_add(patience);
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(std::time::Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let ready = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], left.as_ref());
            match ready {
                Err(Errno::INTR) => {}
                other => return Ok(other? > 0),
            }
        }
    }
}

fn ignore_interrupt(e: Errno) -> Result<usize, Errno> {
    if e == Errno::INTR { Ok(0) } else { Err(e) }
}
