//! The portable transport: frames over a private socket pair, both directions drained at once. Every worker begins
//! with it; where there is shared memory, it ends with the handshake.

use super::line::{Line, Watched};
use super::runtime::Host;
use crate::sys::descriptors::{Descriptor, close_elsewhere};
use crate::sys::messages::send_with;
use crate::wire::attachments::{self, Incoming, Outgoing};
use crate::wire::buffer;
use crate::wire::frame::{self, Decoder, Frame, HEADER, Kind};
use crate::wire::writer::Writer;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, Shutdown};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

/// A line over a stream socket.
#[derive(Debug)]
pub(crate) struct StreamLine {
    socket: Watched,
    // The frame on its way, and how much of it is sent.
    out: Vec<u8>,
    sent: usize,
    // What goes with its first byte.
    attached: Vec<Descriptor>,
    decoder: Decoder,
    // What came with the frames since they were last taken.
    received: Vec<OwnedFd>,
    outgoing: Outgoing,
}

impl StreamLine {
    /// A line that begins with a hello and the descriptors that go with it.
    pub(crate) fn new(socket: Descriptor, hello: Vec<u8>, attached: Vec<Descriptor>, limit: usize) -> Self {
        Self {
            socket: Watched::new(socket),
            out: hello,
            sent: 0,
            attached,
            decoder: Decoder::new(limit),
            received: Vec::new(),
            outgoing: Outgoing::default(),
        }
    }

    /// A descriptor that came with a frame of the handshake.
    pub(crate) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.received.pop()
    }

    /// The descriptors that came since they were last taken.
    pub(crate) fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.received)
    }

    /// Sends a small frame with descriptors, whole or not at all.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn send_now(&mut self, frame: &[u8], attached: &[Descriptor]) -> io::Result<()> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let socket = self.socket.descriptor();
        let sent = retry(|| send_with(socket, frame, attached, flags))?;
        // The worker has read all that came before, so there is room for so little.
        if sent == frame.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Sends as much as the socket takes.
    fn send(&mut self) -> Result<(), Errno> {
        let socket = self.socket.descriptor();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        while self.sent < self.out.len() {
            let rest = &self.out[self.sent..];
            self.sent += if self.attached.is_empty() {
                retry(|| rustix::net::send(socket, rest, flags))?
            } else {
                let count = retry(|| send_with(socket, rest, &self.attached, flags))?;
                self.attached.clear();
                count
            };
        }
        if self.out.capacity() > 0 {
            buffer::give(std::mem::take(&mut self.out));
            self.sent = 0;
        }
        Ok(())
    }

    pub(crate) fn receive(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Some(frame));
            }
            let (socket, space) = (self.socket.descriptor(), self.decoder.space());
            match retry(|| receive_with(socket, space, &mut self.received)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.decoder.advance(count),
                Err(Errno::AGAIN) => return Ok(None),
                // The kernel says so when the other end was closed with bytes in it that nobody had read.
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl Drop for StreamLine {
    fn drop(&mut self) {
        if !self.received.is_empty() {
            close_elsewhere(self.take_descriptors());
        }
    }
}

impl Line for StreamLine {
    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        self.out = buffer::take();
        self.out.resize(HEADER, 0);
        self.sent = 0;
        Writer::new(&mut self.out, HEADER, limit.saturating_add(HEADER))
    }

    fn post(&mut self, written: usize, mut outgoing: Outgoing) -> io::Result<()> {
        debug_assert_eq!(self.out.len(), written);
        self.attached.append(&mut outgoing.take_descriptors());
        self.outgoing = outgoing;
        frame::finish(Kind::Job, &mut self.out);
        // Most jobs fit: send now, so that the worker begins while the caller gets ready to wait. An error shows
        // again when the answer is polled for.
        let _ = self.send();
        Ok(())
    }

    fn take_outgoing(&mut self) -> Outgoing {
        std::mem::take(&mut self.outgoing)
    }

    fn put_back(&mut self, mut outgoing: Outgoing) {
        outgoing.take_back();
        self.outgoing = outgoing;
        buffer::give(std::mem::take(&mut self.out));
    }

    fn take_incoming(&mut self, _failed: bool) -> Incoming {
        Incoming::answer(self.take_descriptors(), Vec::new())
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, host: &Host, _verdict: bool) -> Poll<io::Result<Frame>> {
        loop {
            // When the worker has gone, what it said before is still there to be read, and then the reason shows.
            let sent = self.send();
            let is_blocked = sent == Err(Errno::AGAIN);
            match self.receive() {
                Ok(Some(frame)) => return Poll::Ready(Ok(frame)),
                Ok(None) => {}
                // It cannot have taken what has not been sent.
                Err(_) if sent.is_err() && !is_blocked => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Err(e) => return Poll::Ready(Err(e)),
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

    fn last_frame(&mut self, _verdict: bool) -> io::Result<Option<Frame>> {
        let is_whole = self.send().is_ok();
        match self.receive() {
            Ok(None) | Err(_) if !is_whole => Err(io::ErrorKind::ConnectionReset.into()),
            received => received,
        }
    }

    fn hang_up(&mut self) {
        // Only this direction: what the worker still has to say finds its way.
        let _ = rustix::net::shutdown(self.socket.descriptor(), Shutdown::Write);
    }
}

fn receive_with(socket: &Descriptor, space: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> Result<usize, Errno> {
    let mut ancillary = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(attachments::MOST_AT_ONCE))];
    let mut control = RecvAncillaryBuffer::new(&mut ancillary);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(space)], &mut control, flags)?;
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            descriptors.extend(received);
            // A worker that sends more than it may has them closed.
            if descriptors.len() > attachments::MOST {
                close_elsewhere(descriptors.split_off(attachments::MOST));
            }
        }
    }
    Ok(message.bytes)
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
