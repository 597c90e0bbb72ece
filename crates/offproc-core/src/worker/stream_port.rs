//! A port over a stream socket: frames both ways.

use super::port::{Next, Port};
use crate::wire::frame::{self, Decoder, Frame, HEADER, Kind};
use crate::wire::writer::Writer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct StreamPort {
    socket: OwnedFd,
    decoder: Decoder,
    job: Option<Frame>,
    out: Vec<u8>,
}

impl StreamPort {
    pub(crate) fn new(socket: OwnedFd, limit: usize) -> Self {
        Self { socket, decoder: Decoder::new(limit), job: None, out: Vec::new() }
    }

    /// From here on frames may be this large.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.decoder.set_limit(limit);
    }

    /// The socket once more, under a high number.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        crate::sys::descriptors::duplicate_high(&self.socket)
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

    /// Sends a small frame.
    pub(crate) fn send(&mut self, kind: Kind, message: &impl serde::Serialize) -> io::Result<()> {
        let mut writer = self.begin(usize::MAX - HEADER)?;
        crate::wire::codec::encode(message, &mut writer).map_err(io::Error::other)?;
        let written = writer.written();
        drop(writer);
        self.answer(kind, written)
    }

    fn send_all(&self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match rustix::net::send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                // A job has made the socket non-blocking.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.socket, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                },
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// False when nothing came in time.
    fn wait_readable(&self, patience: Duration) -> io::Result<bool> {
        let deadline = Instant::now().checked_add(patience);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], left.as_ref()) {
                Err(Errno::INTR) => {}
                ready => return Ok(ready? > 0),
            }
        }
    }
}

impl Port for StreamPort {
    fn next(&mut self, patience: Option<Duration>) -> io::Result<Next> {
        self.job = None;
        loop {
            if let Some(frame) = self.decoder.next()? {
                if frame.kind != Kind::Job {
                    return Err(io::Error::other(format!("an unexpected {frame:?}")));
                }
                let frame = self.job.insert(frame);
                return Ok(Next::Job(frame.body()));
            }
            if let Some(patience) = patience
                && !self.decoder.is_midway()
                && !self.wait_readable(patience)?
            {
                // What the parent sends from here on stays unread, which it will see.
                self.tell(false)?;
                return Ok(Next::Idle);
            }
            match rustix::net::recv(&self.socket, self.decoder.space(), RecvFlags::empty()) {
                Ok((0, _)) | Err(Errno::CONNRESET) => return Ok(Next::Closed),
                Ok((count, _)) => self.decoder.advance(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                },
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        self.job = None;
        self.out.clear();
        self.out.resize(HEADER, 0);
        Writer::new(&mut self.out, HEADER, limit.saturating_add(HEADER))
    }

    fn answer(&mut self, kind: Kind, written: usize) -> io::Result<()> {
        const KEPT: usize = 1 << 20;
        debug_assert_eq!(self.out.len(), written);
        frame::finish(kind, &mut self.out);
        let sent = self.send_all(&self.out);
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        sent
    }

    fn tell(&mut self, stays: bool) -> io::Result<()> {
        let mut frame = [0; HEADER];
        frame::finish(if stays { Kind::Stays } else { Kind::Leaves }, &mut frame);
        self.send_all(&frame)
    }
}
