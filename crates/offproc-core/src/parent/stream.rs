//! The portable transport: frames over a private socket pair, both directions drained at once.

use super::line::{Line, Watched};
use super::runtime::Host;
use crate::sys::descriptors::Descriptor;
use crate::wire::frame::{Decoder, Frame};
use crate::wire::message::Request;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    Shutdown,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll};

/// What is still to be sent.
#[derive(Debug)]
enum Outbox {
    Empty,
    Hello { frame: Vec<u8>, sent: usize, descriptors: Vec<OwnedFd> },
    // Kept until it is answered: if the worker leaves instead, it goes to another.
    Job { request: Request, sent: usize },
}

/// A line over a stream socket.
#[derive(Debug)]
pub(crate) struct StreamLine {
    socket: Watched,
    outbox: Outbox,
    decoder: Decoder,
    // Descriptors are only expected during the handshake; later ones are left for the kernel to close.
    descriptors: Option<Vec<OwnedFd>>,
}

impl StreamLine {
    /// A line that begins with a hello and the descriptors that go with it.
    pub(crate) fn new(socket: Descriptor, frame: Vec<u8>, descriptors: Vec<OwnedFd>, limit: usize) -> Self {
        Self {
            socket: Watched::new(socket),
            outbox: Outbox::Hello { frame, sent: 0, descriptors },
            decoder: Decoder::new(limit),
            descriptors: Some(Vec::new()),
        }
    }

    /// Sends as much as the socket takes.
    fn send(&mut self) -> Result<(), Errno> {
        let socket = self.socket.descriptor();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        loop {
            let (rest, sent) = match &mut self.outbox {
                Outbox::Empty => return Ok(()),
                Outbox::Job { request, sent } if *sent == request.frame().len() => return Ok(()),
                Outbox::Job { request, sent } => (&request.frame()[*sent..], sent),
                Outbox::Hello { frame, sent, descriptors } => {
                    if !descriptors.is_empty() {
                        let count = retry(|| send_with(socket, frame, descriptors, flags))?;
                        descriptors.clear();
                        *sent += count;
                    }
                    if *sent == frame.len() {
                        self.outbox = Outbox::Empty;
                        return Ok(());
                    }
                    (&frame[*sent..], sent)
                }
            };
            *sent += retry(|| rustix::net::send(socket, rest, flags))?;
        }
    }

    fn has_more_to_send(&self) -> bool {
        match &self.outbox {
            Outbox::Empty => false,
            Outbox::Hello { .. } => true,
            Outbox::Job { request, sent } => *sent < request.frame().len(),
        }
    }

    fn receive(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Some(frame));
            }
            let (socket, space) = (self.socket.descriptor(), self.decoder.space());
            let received = match &mut self.descriptors {
                None => retry(|| Ok(rustix::net::recv(socket, &mut *space, RecvFlags::DONTWAIT)?.0)),
                Some(descriptors) => retry(|| receive_with(socket, space, descriptors)),
            };
            match received {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.decoder.advance(count),
                Err(Errno::AGAIN) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl Line for StreamLine {
    fn post(&mut self, request: Request) {
        debug_assert!(!self.has_more_to_send(), "one job at a time");
        self.outbox = Outbox::Job { request, sent: 0 };
        // Most jobs fit: send now, so that the worker begins while the caller gets ready to wait. An error shows
        // again when the answer is polled for.
        let _ = self.send();
    }

    fn take_back(&mut self) -> Option<Request> {
        match std::mem::replace(&mut self.outbox, Outbox::Empty) {
            Outbox::Job { request, .. } => Some(request),
            _ => None,
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<io::Result<Frame>> {
        loop {
            // When the worker has gone, what it said before is still there to be read, and then the reason shows.
            let is_blocked = matches!(self.send(), Err(Errno::AGAIN));
            if let Some(frame) = self.receive()? {
                return Poll::Ready(Ok(frame));
            }
            let mut ready = self.socket.poll_readable(cx, host)?.is_ready();
            if is_blocked {
                ready |= self.socket.poll_writable(cx, host)?.is_ready();
            }
            if !ready {
                return Poll::Pending;
            }
        }
    }

    fn try_frame(&mut self) -> io::Result<Option<Frame>> {
        self.receive()
    }

    fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.as_mut()?.pop()
    }

    fn end_handshake(&mut self) {
        self.descriptors = None;
    }

    fn hang_up(&mut self) {
        // Only this direction: what the worker still has to say finds its way.
        let _ = rustix::net::shutdown(self.socket.descriptor(), Shutdown::Write);
    }
}

fn receive_with(socket: &Descriptor, space: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> Result<usize, Errno> {
    let mut ancillary = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut ancillary);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(space)], &mut control, flags)?;
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            descriptors.extend(received);
        }
    }
    Ok(message.bytes)
}

pub(super) fn send_with(
    socket: &Descriptor,
    bytes: &[u8],
    descriptors: &[OwnedFd],
    flags: SendFlags,
) -> Result<usize, Errno> {
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)), "at most 8 descriptors");
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
