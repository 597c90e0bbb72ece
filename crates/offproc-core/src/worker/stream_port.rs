//! A port over a stream socket: frames both ways.

use super::port::{Next, Port};
use crate::sys::descriptors::Descriptor;
use crate::sys::fork;
use crate::sys::messages::send_with;
use crate::wire::attachments::{self, Incoming, Outgoing};
use crate::wire::codec;
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
    received: Vec<OwnedFd>,
    out: Vec<u8>,
}

impl StreamPort {
    pub(crate) fn new(socket: OwnedFd, limit: usize) -> Self {
        Self { socket, decoder: Decoder::new(limit), job: None, received: Vec::new(), out: Vec::new() }
    }

    /// From here on frames may be this large.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.decoder.set_limit(limit);
    }

    /// Receives the first frame and the descriptors that come with it.
    pub(crate) fn first(&mut self) -> io::Result<(Option<Frame>, Vec<OwnedFd>)> {
        let frame = self.frame(None)?.ok().flatten();
        Ok((frame, std::mem::take(&mut self.received)))
    }

    /// The next frame; `Ok(None)` when the parent has hung up, `Err` when nothing came in time.
    fn frame(&mut self, patience: Option<Duration>) -> io::Result<Result<Option<Frame>, Late>> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Ok(Some(frame)));
            }
            if let Some(patience) = patience
                && !self.decoder.is_midway()
                && !self.wait_readable(patience)?
            {
                return Ok(Err(Late));
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(attachments::MOST))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(self.decoder.space())];
            match rustix::net::recvmsg(&self.socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(message) if message.bytes == 0 => return Ok(Ok(None)),
                Err(Errno::CONNRESET) => return Ok(Ok(None)),
                Ok(message) => {
                    for part in control.drain() {
                        if let RecvAncillaryMessage::ScmRights(received) = part {
                            self.received.extend(received);
                        }
                    }
                    self.decoder.advance(message.bytes);
                }
                Err(Errno::INTR) => {}
                // A job has made the socket non-blocking.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                },
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Takes in what comes with a job beside shared memory.
    pub(crate) fn receive_attached(&mut self, incoming: &mut Incoming) -> io::Result<()> {
        let frame = self.frame(None)?.ok().flatten().filter(|frame| frame.kind == Kind::Attached);
        let frame = frame.ok_or(io::ErrorKind::InvalidData)?;
        let forget: Vec<u64> = codec::decode(frame.body()).map_err(io::Error::other)?;
        incoming.forget(&forget);
        incoming.put(std::mem::take(&mut self.received));
        Ok(())
    }

    /// Sends what goes with an answer beside shared memory.
    pub(crate) fn send_attached(&self, outgoing: &Outgoing) -> io::Result<()> {
        let mut frame = frame::begin();
        codec::encode_to(outgoing.forget(), &mut frame).map_err(io::Error::other)?;
        frame::finish(Kind::Attached, &mut frame);
        self.send_all(&frame, outgoing.descriptors())
    }

    /// Sends a small frame.
    pub(crate) fn send(&mut self, kind: Kind, message: &impl serde::Serialize) -> io::Result<()> {
        let mut writer = self.begin(usize::MAX - HEADER)?;
        codec::encode(message, &mut writer).map_err(io::Error::other)?;
        let written = writer.written();
        drop(writer);
        self.answer(kind, written, Outgoing::default())
    }

    fn send_all(&self, mut rest: &[u8], mut attached: &[Descriptor]) -> io::Result<()> {
        while !rest.is_empty() {
            match send_with(&self.socket, rest, attached, SendFlags::NOSIGNAL) {
                Ok(count) => (rest, attached) = (&rest[count..], &[]),
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
    fn next(&mut self, patience: Option<Duration>, incoming: &mut Incoming) -> io::Result<Next> {
        self.job = None;
        match self.frame(patience)? {
            Ok(Some(frame)) if frame.kind == Kind::Job => {
                incoming.put(std::mem::take(&mut self.received));
                let frame = self.job.insert(frame);
                Ok(Next::Job(frame.body()))
            }
            Ok(Some(frame)) => Err(io::Error::other(format!("an unexpected {frame:?}"))),
            Ok(None) => Ok(Next::Closed),
            Err(Late) => {
                // What the parent sends from here on stays unread, which it will see.
                self.tell(false)?;
                Ok(Next::Idle)
            }
        }
    }

    fn outgoing(&self, _incoming: &mut Incoming) -> Outgoing {
        Outgoing::default()
    }

    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        fork::end_copy();
        self.job = None;
        self.out.clear();
        self.out.resize(HEADER, 0);
        Writer::new(&mut self.out, HEADER, limit.saturating_add(HEADER))
    }

    fn answer(&mut self, kind: Kind, written: usize, outgoing: Outgoing) -> io::Result<()> {
        const KEPT: usize = 1 << 20;
        debug_assert_eq!(self.out.len(), written);
        frame::finish(kind, &mut self.out);
        let sent = self.send_all(&self.out, outgoing.descriptors());
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        sent
    }

    fn tell(&mut self, stays: bool) -> io::Result<()> {
        fork::end_copy();
        let mut frame = [0; HEADER];
        frame::finish(if stays { Kind::Stays } else { Kind::Leaves }, &mut frame);
        self.send_all(&frame, &[])
    }
}

/// Nothing came in time.
struct Late;
