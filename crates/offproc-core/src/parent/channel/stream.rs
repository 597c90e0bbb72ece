//! The portable transport: frames over a private socket pair; the parent reads while it writes. Every worker begins
//! with it; with shared memory, it is only for the handshake and for descriptors.

mod frame_event;
mod outbound;

use super::event::{Awaited, ChannelEvent, RetireDecision};
use super::parent_channel::{Encoded, ParentChannel, WriteJob, encoded_or, no_room};
use super::registered::Registered;
use crate::error::EncodeError;
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::chunk;
use crate::job::message::Answer;
use crate::parent::runtime::RuntimeSelector;
use crate::sys::discard::{discard, receive_some};
use crate::sys::fork_registry::{TrackedGift, TrackedSocket, WeakSocket};
use crate::sys::gifts::{self, Gift, send_with};
use crate::sys::socket::{self, Blocking, RESET_MEANS_UNREAD, Unsent, retry};
use crate::wire::frame::{self, Decoder, Frame, HEADER, Kind};
use crate::wire::writer::Writer;
pub(crate) use frame_event::FrameEvent;
use outbound::{Outbound, has_died_of_job};
use rustix::io::Errno;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A channel over a stream socket.
#[derive(Debug)]
pub(crate) struct ParentStream {
    socket: Registered,
    out: Outbound,
    decoder: Decoder,
    // What had come before the job was sent.
    early: Option<Result<Frame, FrameEvent>>,
    // See `RESET_MEANS_UNREAD`.
    reset_means_unread: bool,
    // The descriptors that came with frames and were not taken yet.
    received: Vec<Gift>,
    outgoing: Outgoing,
    // Of the current job, if it is a chunk: what came of its answer.
    parts: Option<Vec<u8>>,
}

impl ParentStream {
    /// A channel that begins with a hello and the descriptors that go with it.
    pub(crate) fn new(socket: TrackedSocket, hello: Vec<u8>, attached: Vec<TrackedGift>, limit: usize) -> Self {
        Self {
            socket: Registered::new(socket),
            out: Outbound::new(hello, attached),
            decoder: Decoder::new(limit),
            early: None,
            reset_means_unread: RESET_MEANS_UNREAD,
            received: Vec::new(),
            outgoing: Outgoing::default(),
            parts: None,
        }
    }

    /// It is of a worker behind a command: the link may have read what the worker has not.
    pub(crate) fn set_over_link(&mut self) {
        (self.reset_means_unread, self.outgoing) = (false, Outgoing::far());
    }

    /// A descriptor that came with a frame of the handshake.
    pub(crate) fn take_descriptor(&mut self) -> Option<Gift> {
        self.received.pop()
    }

    /// The descriptors that came since they were last taken.
    pub(crate) fn take_descriptors(&mut self) -> Vec<Gift> {
        std::mem::take(&mut self.received)
    }

    /// The socket, not kept open.
    pub(crate) fn weak_socket(&self) -> WeakSocket {
        self.socket.descriptor().downgrade()
    }

    /// Sends nothing more; the worker still can.
    pub(crate) fn end_sending(&mut self) {
        self.out.cut_off();
        socket::shut_down_sending(self.socket.descriptor());
    }

    /// Sends a small frame with descriptors, whole or not at all.
    pub(crate) fn send_now(&mut self, frame: &[u8], attached: &[TrackedGift]) -> Result<(), Unsent> {
        self.out.may_have_begun();
        let sent = send_with(self.socket.descriptor(), frame, attached, Blocking::No)?;
        // The worker has read all that came before, so there is room for a small frame.
        if sent == frame.len() { Ok(()) } else { Err(Unsent::Full) }
    }

    /// The next frame, or the event in its place.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<FrameEvent> {
        let polled = self.poll_next(cx, runtime);
        if polled.is_ready() {
            self.socket.rest();
        }
        polled
    }

    /// The last frame of a worker that has ended, or the event in its place.
    pub(crate) fn last_frame(&mut self) -> FrameEvent {
        let is_whole = self.send().is_ok();
        match self.receive() {
            Ok(Some(frame)) => FrameEvent::Frame(frame),
            Ok(None) | Err(_) if !is_whole => self.not_sent_whole(),
            // Another process has the worker's end, too.
            Ok(None) => FrameEvent::HungUp,
            Err(event) => event,
        }
    }

    /// The next small frame, if it is there already.
    pub(crate) fn receive(&mut self) -> Result<Option<Frame>, FrameEvent> {
        if let Some(early) = self.early.take() {
            return early.map(Some);
        }
        loop {
            match self.decoder.next() {
                Ok(None) => {}
                // Of a chunk, nothing then says which items have run.
                Ok(Some(frame)) if frame.lost().is_some() && frame.kind.is_of_chunk() => {
                    return Err(FrameEvent::Violation("results that there is no memory for".to_owned()));
                }
                Ok(Some(list)) if list.kind == Kind::Gifts => {
                    gifts::take(self.socket.descriptor(), list.body(), &mut self.received)
                        .map_err(FrameEvent::violation)?;
                    continue;
                }
                Ok(Some(frame)) => return Ok(Some(frame.or_no_memory("a result"))),
                Err(e) => return Err(FrameEvent::violation(e)),
            }
            let (socket, space) = (self.socket.descriptor(), self.decoder.space());
            match retry(|| receive_some(socket, space, &mut self.received)) {
                Ok(0) => return Err(FrameEvent::HungUp),
                Ok(count) => {
                    self.out.may_have_begun();
                    self.decoder.advance(count);
                }
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::CONNRESET) if self.reset_means_unread && self.out.is_unread() => {
                    return Err(FrameEvent::NotTaken);
                }
                Err(e) if socket::is_gone(e) => return Err(FrameEvent::HungUp),
                Err(e) => return Err(FrameEvent::violation(io::Error::from(e))),
            }
        }
    }

    /// Sends as much as the socket takes.
    fn send(&mut self) -> Result<(), Unsent> {
        self.out.send(self.socket.descriptor())
    }

    /// Reads what has come before the job, which is not sent to a worker that has left. Sending to one that is gone
    /// resets the connection, and where a reset overtakes what was sent before, its `Leaves` would be lost.
    fn look_before_sending(&mut self) {
        self.early = self.receive().transpose();
        self.out.set_unread();
        match &self.early {
            Some(Ok(frame)) if frame.kind == Kind::Leaves => self.out.close(),
            Some(Err(FrameEvent::HungUp)) => self.out.close(),
            _ => {}
        }
    }

    /// Takes the encoded job back: it does not go to the worker.
    fn take_back(&mut self) {
        self.outgoing.take_back();
        self.out.discard();
    }

    /// The worker has ended, and cannot have taken a job that was not sent whole. But if it may have died of reading
    /// the job, another worker must not die of it, too.
    fn not_sent_whole(&self) -> FrameEvent {
        if self.out.may_have_killed() { FrameEvent::HungUp } else { FrameEvent::NotTaken }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<FrameEvent> {
        loop {
            // If the worker has ended, read what it sent before: then the reason shows.
            let sent = self.send();
            let is_blocked = sent == Err(Unsent::Full);
            match (self.receive(), sent) {
                (Ok(Some(frame)), _) => return Poll::Ready(FrameEvent::Frame(frame)),
                (Ok(None), Err(Unsent::Refused(e))) => return Poll::Ready(FrameEvent::NotSent(e.into())),
                (Ok(None), _) => {}
                (Err(_), Err(Unsent::Gone | Unsent::Refused(_))) | (Err(FrameEvent::HungUp), Err(Unsent::Full)) => {
                    return Poll::Ready(self.not_sent_whole());
                }
                (Err(event), _) => return Poll::Ready(event),
            }
            match self.poll_ready(is_blocked, cx, runtime) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(e) => return Poll::Ready(FrameEvent::violation(e)),
            }
        }
    }

    /// Whether to try again: there is something to read or, if sending is blocked, room.
    fn poll_ready(&mut self, is_blocked: bool, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> io::Result<bool> {
        let is_readable = self.socket.poll_readable(cx, runtime)?.is_ready();
        let has_room = is_blocked && self.socket.poll_writable(cx, runtime)?.is_ready();
        Ok(is_readable || has_room)
    }

    /// Keeps a part of a chunk's answer.
    fn keep(&mut self, part: &Frame) -> Result<(), ChannelEvent> {
        let violation = |what: &str| Err(ChannelEvent::Violation(what.to_owned()));
        let most = chunk::most_bytes(self.decoder.limit());
        let Some(parts) = &mut self.parts else { return violation("a part of an answer to what is not a chunk") };
        let body = part.body();
        match parts.len().checked_add(body.len()) {
            Some(length) if length <= most && !body.is_empty() => {
                if parts.try_reserve(body.len()).is_err() {
                    return violation("a chunk's answer that there is no memory for");
                }
                parts.extend_from_slice(body);
                Ok(())
            }
            _ => violation("a chunk's answer above the frame limit, or an empty part of one"),
        }
    }

    fn event(&mut self, awaited: Awaited, event: FrameEvent) -> ChannelEvent {
        let frame = match event {
            FrameEvent::Frame(frame) => frame,
            FrameEvent::NotTaken => return ChannelEvent::NotTaken,
            FrameEvent::NotSent(e) => return ChannelEvent::NotSent(e),
            FrameEvent::HungUp => return ChannelEvent::HungUp,
            FrameEvent::Violation(what) => return ChannelEvent::Violation(what),
        };
        match (frame.kind, awaited) {
            (kind, Awaited::Answer) if kind.answers_chunk() && self.parts.is_some() => {
                if let Err(violation) = self.keep(&frame) {
                    return violation;
                }
                let incoming = Incoming::answer(self.take_descriptors(), Vec::new(), self.outgoing.limit());
                let body = self.parts.take().unwrap_or_default();
                ChannelEvent::Answer(Answer::new(Frame::of_body(kind, body), incoming))
            }
            (Kind::Done | Kind::Failed, Awaited::Answer) => {
                self.outgoing.ends_left();
                let incoming = Incoming::answer(self.take_descriptors(), Vec::new(), self.outgoing.limit());
                ChannelEvent::Answer(Answer::new(frame, incoming))
            }
            (Kind::Stays, _) => ChannelEvent::Decision(RetireDecision::Stays),
            (Kind::Leaves, awaited) => {
                if awaited == Awaited::Answer {
                    // Before the worker ends, which would say that they are gone.
                    self.outgoing.ends_stay();
                }
                // The worker reads on until then.
                self.end_sending();
                match awaited {
                    Awaited::Decision => ChannelEvent::Decision(RetireDecision::Leaves),
                    Awaited::Answer => ChannelEvent::NotTaken,
                }
            }
            (kind, _) => ChannelEvent::Violation(format!("an unexpected {kind:?}")),
        }
    }
}

impl Drop for ParentStream {
    fn drop(&mut self) {
        if !self.received.is_empty() {
            discard(self.take_descriptors());
        }
    }
}

impl ParentChannel for ParentStream {
    fn encode(&mut self, limit: usize, write: &mut WriteJob<'_>) -> Result<Encoded, EncodeError> {
        self.out.begin();
        self.outgoing.set_limit(limit);
        let (out, outgoing) = (&mut self.out.bytes, &mut self.outgoing);
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let mut writer = Writer::new(out, HEADER, limit.saturating_add(HEADER)).map_err(no_room)?;
            outgoing.while_sending(|| write(&mut writer)).map(|()| writer.written())
        }));
        encoded_or(self, attempt, Self::take_back)
    }

    fn submit(&mut self, Encoded(written): Encoded) -> io::Result<Option<Instant>> {
        debug_assert_eq!(self.out.bytes.len(), written);
        if !self.reset_means_unread {
            self.look_before_sending();
        }
        if !self.out.is_closed() {
            let (socket, reset_means_unread) = (self.weak_socket(), self.reset_means_unread);
            self.outgoing.ends_depart(|| Box::new(move || has_died_of_job(&socket, reset_means_unread)));
        }
        self.out.attach(self.outgoing.take_descriptors());
        frame::finish(Kind::Job, &mut self.out.bytes);
        // Most jobs fit: send now, so that the worker begins while the caller gets ready to wait.
        let now = Instant::now();
        match self.send() {
            Err(Unsent::Refused(e)) if self.out.is_unsent() => {
                self.take_back();
                Err(e.into())
            }
            // Other errors recur when the answer is polled for.
            Err(_) | Ok(()) => Ok(Some(now)),
        }
    }

    fn poll_event(&mut self, awaited: Awaited, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<ChannelEvent> {
        // Then the caller does something else: the worker can send parts faster than they are read.
        const MOST_PARTS: usize = 256;
        for _ in 0..MOST_PARTS {
            match ready!(self.poll_frame(cx, runtime)) {
                FrameEvent::Frame(part) if part.kind == Kind::Part => {
                    if let Err(violation) = self.keep(&part) {
                        return Poll::Ready(violation);
                    }
                }
                event => return Poll::Ready(self.event(awaited, event)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn after_exit(&mut self, awaited: Awaited) -> ChannelEvent {
        loop {
            match self.last_frame() {
                FrameEvent::Frame(part) if part.kind == Kind::Part => {
                    if let Err(violation) = self.keep(&part) {
                        return violation;
                    }
                }
                event => return self.event(awaited, event),
            }
        }
    }

    fn begin_chunk(&mut self) {
        self.parts = Some(Vec::new());
    }

    fn published(&mut self) -> io::Result<Answer> {
        let body = self.parts.take().unwrap_or_default();
        Ok(Answer::new(Frame::of_body(Kind::Items, body), Incoming::default()))
    }

    /// With this transport each job wakes the worker.
    fn is_time_to_compare(&self) -> bool {
        true
    }

    fn ends_stay(&mut self) {
        self.outgoing.ends_stay();
    }

    fn withdraw_items(&mut self) {
        if self.parts.is_some() {
            self.out.bytes.extend_from_slice(&frame::empty(Kind::Withdraw));
            // From here on, unread bytes may be these. An error recurs when the answer is polled for.
            self.out.may_have_begun();
            let _ = self.send();
        }
    }

    fn request_stop(&mut self) {
        self.end_sending();
    }

    fn request_shutdown(&mut self) {
        self.end_sending();
    }
}

#[cfg(test)]
mod tests;
