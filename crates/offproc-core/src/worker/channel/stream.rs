//! The worker's channel over a stream socket: frames both ways.

use super::worker_channel::{Next, Sent, WorkerChannel, no_memory};
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::codec;
use crate::job::exchange::ResultRoom;
use crate::sys::fork;
use crate::sys::fork_registry::TrackedGift;
use crate::sys::gifts::{self, Gift, receive, send_with};
use crate::sys::readiness::{self, Interest};
use crate::sys::socket::{self, Blocking, Socket, Unsent, is_gone, retry};
use crate::wire::frame::{self, Decoder, Frame, HEADER, Kind};
use crate::wire::writer::Writer;
use crate::worker::link::WorkerLink;
use rustix::io::Errno;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a worker that exits waits for its parent to hang up.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct WorkerStream {
    socket: Arc<Socket>,
    decoder: Decoder,
    job: Option<Frame>,
    received: Vec<Gift>,
    out: Vec<u8>,
    // The frame that came while a chunk ran.
    early: Option<Box<Frame>>,
    // Of a worker behind a command: what this side sends goes over it.
    link: Option<Arc<WorkerLink>>,
}

impl WorkerStream {
    pub(crate) fn new(socket: impl Into<Arc<Socket>>, limit: usize) -> Self {
        Self {
            socket: socket.into(),
            decoder: Decoder::new(limit),
            job: None,
            received: Vec::new(),
            out: Vec::new(),
            early: None,
            link: None,
        }
    }

    /// What this side sends goes over the link, if there is one.
    pub(crate) fn over(self, link: Option<Arc<WorkerLink>>) -> Self {
        Self { link, ..self }
    }

    /// From here on frames may be this large.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.decoder.set_limit(limit);
    }

    /// Receives the first frame and the descriptors that come with it.
    pub(crate) fn first(&mut self) -> io::Result<(Option<Frame>, Vec<Gift>)> {
        let frame = self.frame(None)?.ok().flatten();
        Ok((frame, std::mem::take(&mut self.received)))
    }

    /// The next frame; `Ok(None)` if the parent has closed its end, `Err` if nothing came in time.
    fn frame(&mut self, patience: Option<Duration>) -> io::Result<Result<Option<Frame>, Late>> {
        loop {
            if let Some(frame) = self.early.take().map_or_else(|| self.decoder.next(), |frame| Ok(Some(*frame)))? {
                if frame.kind == Kind::Gifts {
                    gifts::take(&self.socket, frame.body(), &mut self.received)?;
                    continue;
                }
                return Ok(Ok(Some(frame)));
            }
            if let Some(patience) = patience.filter(|_| !self.decoder.is_midway()) {
                if !readiness::wait_for(&self.socket, Interest::Readable, patience)? {
                    return Ok(Err(Late));
                }
            }
            let (socket, space) = (&self.socket, self.decoder.space());
            match retry(|| receive(socket, space, &mut self.received, Blocking::Yes)) {
                Ok((0, _)) => return Ok(Ok(None)),
                Err(e) if is_gone(e) => return Ok(Ok(None)),
                Ok((count, _)) => self.decoder.advance(count),
                // A job has made the socket non-blocking.
                Err(Errno::AGAIN) => drop(readiness::wait(&self.socket, Interest::Readable, None)?),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Receives the attachments of a job over shared memory.
    pub(crate) fn receive_attached(&mut self, incoming: &mut Incoming) -> io::Result<()> {
        let frame = self.frame(None)?.ok().flatten().filter(|frame| frame.kind == Kind::Attached);
        let frame = frame.ok_or(io::ErrorKind::InvalidData)?;
        let forget: Vec<u64> = codec::decode(frame.body()).map_err(io::Error::other)?;
        incoming.evict(forget);
        incoming.put(std::mem::take(&mut self.received));
        Ok(())
    }

    /// Sends the attachments of an answer over shared memory.
    pub(crate) fn send_attached(&self, outgoing: &Outgoing) -> io::Result<Sent> {
        let mut frame = frame::begin();
        codec::encode_to(outgoing.evicted(), &mut frame).map_err(io::Error::other)?;
        frame::finish(Kind::Attached, &mut frame);
        self.send_all(&frame, outgoing.descriptors())
    }

    /// Sends a small frame.
    pub(crate) fn send(&mut self, kind: Kind, message: &impl serde::Serialize) -> io::Result<()> {
        let mut writer = self.begin(usize::MAX - HEADER)?;
        codec::encode(message, &mut writer).map_err(io::Error::other)?;
        let written = writer.written();
        drop(writer);
        self.answer(kind, written, &Outgoing::default())?.must_be_whole()
    }

    fn send_all(&self, bytes: &[u8], attached: &[TrackedGift]) -> io::Result<Sent> {
        if let Some(link) = &self.link {
            debug_assert!(attached.is_empty(), "descriptors are refused before");
            link.send_stream(bytes)?;
            return Ok(Sent::Whole);
        }
        match gifts::list(&self.socket, attached).map(|list| list.as_deref().map(frame::of_list)) {
            Ok(None) => self.send_with(bytes, attached),
            // Where descriptors do not travel with bytes.
            Ok(Some(list)) => self.send_with(&list, &[]).and_then(|_| self.send_with(bytes, &[])),
            Err(Unsent::Refused(e)) => Ok(Sent::Refused(e.into())),
            Err(Unsent::Full | Unsent::Gone) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn send_with(&self, bytes: &[u8], attached: &[TrackedGift]) -> io::Result<Sent> {
        let mut sent = 0;
        while sent < bytes.len() {
            let attached = if sent == 0 { attached } else { &[] };
            match send_with(&self.socket, &bytes[sent..], attached, Blocking::Yes) {
                Ok(count) => sent += count,
                Err(e) => match Unsent::from(e) {
                    // A job has made the socket non-blocking.
                    Unsent::Full => drop(readiness::wait(&self.socket, Interest::Writable, None)?),
                    Unsent::Refused(e) if sent == 0 => return Ok(Sent::Refused(e.into())),
                    Unsent::Refused(_) | Unsent::Gone => return Err(e.into()),
                },
            }
        }
        Ok(Sent::Whole)
    }
}

impl ResultRoom for WorkerStream {
    fn outgoing(&self, _incoming: &mut Incoming) -> Outgoing {
        if self.link.is_some() { Outgoing::far() } else { Outgoing::default() }
    }

    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        fork::end_if_copy();
        self.job = None;
        self.out.clear();
        self.out.resize(HEADER, 0);
        Writer::new(&mut self.out, HEADER, limit.saturating_add(HEADER))
    }

    fn resume(&mut self, written: usize, more: usize) -> io::Result<Writer<'_>> {
        fork::end_if_copy();
        self.out.truncate(written);
        Writer::new(&mut self.out, written, written.saturating_add(more))
    }

    fn publish(&mut self, written: usize) -> io::Result<usize> {
        fork::end_if_copy();
        debug_assert_eq!(self.out.len(), written);
        if written > HEADER {
            frame::finish(Kind::Part, &mut self.out);
            self.send_all(&self.out, &[])?.must_be_whole()?;
            self.out.truncate(HEADER);
        }
        Ok(HEADER)
    }

    /// What is wrong with the connection shows where the answer is sent, or the next job is awaited.
    fn is_withdrawn(&mut self) -> bool {
        while self.early.is_none() {
            match self.decoder.next() {
                Ok(Some(frame)) => self.early = Some(Box::new(frame)),
                Ok(None) => {
                    let (socket, space) = (&self.socket, self.decoder.space());
                    match retry(|| receive(socket, space, &mut self.received, Blocking::No)) {
                        Ok((count @ 1.., _)) => self.decoder.advance(count),
                        Ok(_) | Err(_) => return false,
                    }
                }
                Err(_) => return false,
            }
        }
        self.early.as_ref().is_some_and(|frame| frame.kind == Kind::Withdraw)
    }
}

impl WorkerChannel for WorkerStream {
    fn next(&mut self, patience: Option<Duration>, incoming: &mut Incoming) -> io::Result<Next> {
        self.job = None;
        match self.frame(patience)? {
            Ok(Some(frame)) if frame.kind == Kind::Job => {
                incoming.put(std::mem::take(&mut self.received));
                self.link.iter().for_each(|link| link.job_begins());
                if let Some(length) = frame.lost() {
                    return Ok(Next::NoMemory(no_memory(length)));
                }
                let frame = self.job.insert(frame);
                Ok(Next::Job(frame.body()))
            }
            // That was for the last job, and too late.
            Ok(Some(frame)) if frame.kind == Kind::Withdraw => self.next(patience, incoming),
            Ok(Some(frame)) => Err(io::Error::other(format!("a message of the unexpected kind {:?}", frame.kind))),
            Ok(None) => Ok(Next::Closed),
            Err(Late) => {
                self.send_decision(false)?;
                Ok(Next::Idle)
            }
        }
    }

    fn as_result_room(&mut self) -> &mut dyn ResultRoom {
        self
    }

    fn answer(&mut self, kind: Kind, written: usize, outgoing: &Outgoing) -> io::Result<Sent> {
        const KEPT: usize = 1 << 20;
        debug_assert_eq!(self.out.len(), written);
        self.link.iter().for_each(|link| link.job_ends());
        frame::finish(kind, &mut self.out);
        let sent = self.send_all(&self.out, outgoing.descriptors());
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        sent
    }

    fn send_decision(&mut self, stays: bool) -> io::Result<()> {
        fork::end_if_copy();
        let decision = frame::empty(if stays { Kind::Stays } else { Kind::Leaves });
        self.send_all(&decision, &[])?.must_be_whole()
    }

    /// Sends nothing more, and reads on until the parent hangs up, too. Closing a connection with unread bytes resets
    /// it, and on systems other than Linux a reset may overtake what was sent before.
    fn linger(&mut self) {
        fork::end_if_copy();
        socket::shut_down_sending(&self.socket);
        let deadline = Instant::now() + LINGER;
        let mut space = [0; 4096];
        while Instant::now() < deadline {
            match retry(|| receive(&self.socket, &mut space, &mut self.received, Blocking::No)) {
                Ok((1.., _)) => self.received.clear(),
                Err(Errno::AGAIN) => {
                    if readiness::wait(&self.socket, Interest::Readable, Some(deadline)).is_err() {
                        return;
                    }
                }
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Nothing came in time.
struct Late;
