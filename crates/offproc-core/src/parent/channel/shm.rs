//! The transport over shared memory: no system call while both sides are awake.

use super::caller_spin::CallerSpin;
use super::event::{Awaited, ChannelEvent, RetireDecision};
use super::parent_channel::{Encoded, ParentChannel, WriteJob, encoded_or, no_room};
use super::registered::Registered;
use super::stream::ParentStream;
use crate::error::EncodeError;
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::chunk;
use crate::job::codec;
use crate::job::message::Answer;
use crate::parent::runtime::RuntimeSelector;
use crate::sys::cpu;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::shared_memory::{SharedFutex, SharedMemory, silence};
use crate::sys::socket::Unsent;
use crate::wire::buffer;
use crate::wire::frame::{self, Frame, Kind};
use crate::wire::shm::slot;
use crate::wire::writer::Writer;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

/// A channel over shared memory.
#[derive(Debug)]
pub(crate) struct ParentShm {
    doorbell: Registered,
    memory: SharedMemory,
    // The stream for descriptors, beside the memory.
    stream: ParentStream,
    outgoing: Outgoing,
    // This and the next one are also for the model, which begins at other numbers.
    pub(super) seq: u32,
    // The worker has left, and has not seen the job.
    pub(super) left: bool,
    // The current job is a chunk.
    is_chunk: bool,
    // The worker does not read what the parent sends.
    is_deaf: bool,
    limit: usize,
    spin: CallerSpin,
}

impl ParentShm {
    /// `looks`: whether to spin for an answer before parking.
    pub(crate) fn new(
        memory: SharedMemory,
        doorbell: TrackedFd,
        stream: ParentStream,
        limit: usize,
        looks: bool,
    ) -> Self {
        Self {
            doorbell: Registered::new(doorbell),
            memory,
            stream,
            outgoing: Outgoing::down(),
            seq: 0,
            left: false,
            is_chunk: false,
            is_deaf: false,
            limit,
            spin: CallerSpin::new(looks),
        }
    }

    /// The awaited event, if the worker has published it.
    fn event(&mut self, awaited: Awaited) -> Option<ChannelEvent> {
        let slot = self.memory.slot();
        match awaited {
            Awaited::Decision => slot.decision(self.seq).map(|stays| {
                ChannelEvent::Decision(if stays { RetireDecision::Stays } else { RetireDecision::Leaves })
            }),
            Awaited::Answer if slot.is_answered(self.seq) => {
                Some(self.answer().map_or_else(ChannelEvent::Violation, ChannelEvent::Answer))
            }
            Awaited::Answer => None,
        }
    }

    /// [`event`](Self::event), after having asked for the doorbell.
    fn event_parked(&mut self, awaited: Awaited) -> Option<ChannelEvent> {
        let slot = self.memory.slot();
        let is_there = match awaited {
            Awaited::Answer => slot.is_answered_parked(self.seq),
            Awaited::Decision => slot.decision_parked(self.seq).is_some(),
        };
        if is_there { self.event(awaited) } else { None }
    }

    /// The answer that the worker has published.
    fn answer(&mut self) -> Result<Answer, Violation> {
        let slot = self.memory.slot();
        // Read once, and checked: the worker may write to it at any time.
        let kind = u8::try_from(slot.worker.kind.load(Ordering::Relaxed)).ok().and_then(Kind::from_byte);
        let length = usize::try_from(slot.worker.length.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let (kind, limit) = match kind {
            Some(kind @ (Kind::Done | Kind::Failed)) => (kind, self.limit),
            Some(kind) if kind.answers_chunk() && self.is_chunk => (kind, chunk::most_bytes(self.limit)),
            _ => return Err("an answer of unknown kind".to_owned()),
        };
        if length > limit {
            return Err("an answer above the frame limit".to_owned());
        }
        if slot.worker.descriptors.load(Ordering::Relaxed) != 0 {
            // The worker has sent these before the answer, so all of them are there. A broken connection here does not
            // mean that the job was not taken.
            match self.stream.receive() {
                Ok(Some(frame)) if frame.kind == Kind::Attached => {}
                _ => return Err("an answer without its descriptors".to_owned()),
            }
        }
        let frame = self.copy_out(kind, length).map_err(|e| e.to_string())?;
        if frame.kind == Kind::Failed {
            // The worker may not have received the job's attachments.
            self.outgoing.is_in_doubt();
        }
        let (descriptors, sent) = (self.stream.take_descriptors(), self.outgoing.take_sent());
        let incoming = Incoming::answer(descriptors, sent, self.outgoing.limit());
        Ok(Answer::new(frame, incoming))
    }

    fn copy_out(&mut self, kind: Kind, length: usize) -> io::Result<Frame> {
        let mut body = buffer::take();
        let copied = self.memory.copy_out(length, &mut body);
        if kind == Kind::Failed || copied.is_err() {
            self.memory.give_back_excess(true);
        } else if self.memory.has_excess() {
            // Whatever the worker may have made of this word: it says only for how long memory is kept.
            let submitted = self.memory.slot().parent.length.load(Ordering::Relaxed);
            self.memory.give_back_unused(length.max(usize::try_from(submitted).unwrap_or(0)));
        }
        match copied {
            Ok(()) => Ok(Frame::of_body(kind, body)),
            // Of a chunk, nothing then says which items have run.
            Err(e) if e.kind() == io::ErrorKind::OutOfMemory && !kind.is_of_chunk() => {
                Ok(Frame::no_memory("a result", length))
            }
            Err(e) => Err(e),
        }
    }

    /// Takes the encoded job back: it does not go to the worker.
    fn take_back(&mut self) {
        self.outgoing.take_back();
        self.memory.give_back_excess(false);
    }

    /// Sends the job's attachments, before the job. False if there are none.
    fn send_attached(&mut self) -> Result<bool, Unsent> {
        if self.outgoing.is_empty() {
            return Ok(false);
        }
        let mut frame = frame::begin();
        codec::encode_to(self.outgoing.evicted(), &mut frame).map_err(|_| Unsent::NO_MEMORY)?;
        frame::finish(Kind::Attached, &mut frame);
        let sent = self.stream.send_now(&frame, self.outgoing.descriptors());
        buffer::give(frame);
        sent?;
        self.outgoing.sent().for_each(|bytes| bytes.is_held_by(self.memory.words()));
        self.outgoing.is_sent();
        let (stream, words) = (&self.stream, Arc::downgrade(self.memory.words()));
        let seq = slot::next_seq(self.seq);
        self.outgoing.ends_depart(|| {
            let socket = stream.weak_socket();
            Box::new(move || {
                let is_taken = words.upgrade().is_some_and(|words| words.slot().is_taken(seq));
                is_taken && socket.end().is_some()
            })
        });
        Ok(true)
    }

    fn poll_next(&mut self, awaited: Awaited, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<ChannelEvent> {
        if self.left {
            return Poll::Ready(ChannelEvent::NotTaken);
        }
        if self.is_deaf {
            let reason = "descriptors of earlier jobs that were not read";
            return Poll::Ready(ChannelEvent::Violation(reason.to_owned()));
        }
        let slot = self.memory.slot();
        if awaited == Awaited::Answer {
            // That of the job, and until it is answered that of the last answer.
            let lengths = || {
                slot.parent.length.load(Ordering::Relaxed).saturating_add(slot.worker.length.load(Ordering::Relaxed))
            };
            self.spin.until(slot.has_hint(slot::CONTENDED), lengths, || slot.is_answered(self.seq));
        }
        if let Some(event) = self.event(awaited) {
            return Poll::Ready(event);
        }
        loop {
            if self.doorbell.is_doubted() {
                silence(self.doorbell.descriptor());
            }
            let slot = self.memory.slot();
            slot.parent.cpu.store(cpu::current(), Ordering::Relaxed);
            slot.park();
            if let Some(event) = self.event_parked(awaited) {
                return Poll::Ready(event);
            }
            if let Err(e) = std::task::ready!(self.doorbell.poll_readable(cx, runtime)) {
                return Poll::Ready(ChannelEvent::Violation(e.to_string()));
            }
            if !self.doorbell.is_edge_triggered() {
                silence(self.doorbell.descriptor());
            }
        }
    }
}

/// Says what is wrong with an answer.
type Violation = String;

impl ParentChannel for ParentShm {
    fn encode(&mut self, limit: usize, write: &mut WriteJob<'_>) -> Result<Encoded, EncodeError> {
        self.outgoing.set_limit(limit);
        let limit = limit.min(self.memory.most());
        let (memory, outgoing) = (&mut self.memory, &mut self.outgoing);
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let mut writer = Writer::new(memory, 0, limit).map_err(no_room)?;
            outgoing.while_sending(|| write(&mut writer)).map(|()| writer.written())
        }));
        encoded_or(self, attempt, Self::take_back)
    }

    fn submit(&mut self, Encoded(written): Encoded) -> io::Result<Option<Instant>> {
        let has_attached = match self.send_attached() {
            Ok(has_attached) => has_attached,
            // The worker has ended, which the wait for its answer will find.
            Err(Unsent::Gone) => true,
            Err(Unsent::Full) => {
                self.is_deaf = true;
                return Ok(None);
            }
            Err(Unsent::Refused(e)) => {
                self.take_back();
                return Err(e.into());
            }
        };
        let slot = self.memory.slot();
        slot.parent.descriptors.store(u32::from(has_attached), Ordering::Relaxed);
        slot.parent.length.store(written as u64, Ordering::Relaxed);
        let next = slot::next_seq(self.seq);
        self.left = !slot.publish_job(self.seq, next, &SharedFutex::ENDLESS);
        self.seq = next;
        self.spin.begin();
        Ok(None)
    }

    fn begin_chunk(&mut self) {
        self.is_chunk = true;
        self.memory.slot().parent.withdrawn.store(0, Ordering::Relaxed);
        self.memory.slot().worker.published.store(0, Ordering::Relaxed);
    }

    fn published(&mut self) -> io::Result<Answer> {
        let length = self.memory.slot().worker.published.load(Ordering::Acquire);
        let length = usize::try_from(length).ok().filter(|length| *length <= chunk::most_bytes(self.limit));
        let frame = self.copy_out(Kind::Items, length.ok_or(io::ErrorKind::InvalidData)?)?;
        Ok(Answer::new(frame, Incoming::answer(Vec::new(), self.outgoing.take_sent(), self.outgoing.limit())))
    }

    fn poll_event(&mut self, awaited: Awaited, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<ChannelEvent> {
        let polled = self.poll_next(awaited, cx, runtime);
        if polled.is_ready() {
            self.doorbell.rest();
        }
        polled
    }

    fn after_exit(&mut self, awaited: Awaited) -> ChannelEvent {
        let event = if self.left { None } else { self.event(awaited) };
        event.unwrap_or_else(|| match awaited {
            Awaited::Answer if !self.memory.slot().is_taken(self.seq) => ChannelEvent::NotTaken,
            _ => ChannelEvent::HungUp,
        })
    }

    fn is_time_to_compare(&self) -> bool {
        // A start takes longer than all these comparisons together.
        const FIRST: u32 = 64;
        const JOBS: u32 = 1024;
        self.seq < FIRST || self.seq % JOBS == 0 || self.memory.slot().has_hint(slot::IDLE)
    }

    fn ends_stay(&mut self) {
        self.outgoing.ends_stay();
    }

    fn withdraw_items(&mut self) {
        self.memory.slot().parent.withdrawn.store(self.seq, Ordering::Relaxed);
    }

    fn request_stop(&mut self) {
        self.stream.end_sending();
    }

    fn request_shutdown(&mut self) {
        self.memory.slot().request_shutdown(self.seq, &SharedFutex::ENDLESS);
    }
}
