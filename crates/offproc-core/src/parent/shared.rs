//! The transport over shared memory: no system call while both sides are awake.

use super::line::{Line, Watched};
use super::runtime::Host;
use super::stream::StreamLine;
use crate::sys::cpu;
use crate::sys::descriptors::Descriptor;
use crate::sys::shared_memory::{SharedFutex, SharedMemory, silence};
use crate::wire::attachments::{Incoming, Outgoing};
use crate::wire::frame::{self, Frame, Kind};
use crate::wire::turn;
use crate::wire::writer::Writer;
use crate::wire::{buffer, codec};
use std::io;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A line over shared memory.
#[derive(Debug)]
pub(crate) struct SharedLine {
    bell: Watched,
    memory: SharedMemory,
    // Where descriptors go beside the memory.
    stream: StreamLine,
    outgoing: Outgoing,
    turn: u32,
    // The worker has left, and has not seen the turn.
    left: bool,
    // The worker does not read what is sent to it.
    is_deaf: bool,
    limit: usize,
    look: Look,
}

impl SharedLine {
    /// `looks`: whether to look for an answer before parking.
    pub(crate) fn new(memory: SharedMemory, bell: Descriptor, stream: StreamLine, limit: usize, looks: bool) -> Self {
        Self {
            bell: Watched::new(bell),
            memory,
            stream,
            outgoing: Outgoing::down(),
            turn: 0,
            left: false,
            is_deaf: false,
            limit,
            look: Look { is_on: looks, is_due: false, misses: 0, skip: 0 },
        }
    }

    fn frame(&mut self, verdict: bool) -> io::Result<Option<Frame>> {
        if verdict {
            let stays = self.memory.turns().stays(self.turn);
            let kind = stays.map(|stays| if stays { Kind::Stays } else { Kind::Leaves });
            return Ok(kind.map(|kind| Frame::of_body(kind, Vec::new())));
        }
        let turns = self.memory.turns();
        if !turns.is_answered(self.turn) {
            return Ok(None);
        }
        // Read once, and checked: the worker may write to it at any time.
        let kind = u8::try_from(turns.up.kind.load(Ordering::Relaxed)).ok().and_then(Kind::from_byte);
        let length = usize::try_from(turns.up.length.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let Some(kind @ (Kind::Done | Kind::Failed)) = kind else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer of unknown kind"));
        };
        if length > self.limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer above the frame limit"));
        }
        if turns.up.descriptors.load(Ordering::Relaxed) != 0 {
            // Sent before the answer, so it is all there. A connection that is broken here does not mean that the job
            // was not taken.
            match self.stream.receive() {
                Ok(Some(frame)) if frame.kind == Kind::Attached => {}
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without its descriptors")),
            }
        }
        let mut body = buffer::take();
        self.memory.copy_out(length, &mut body)?;
        self.memory.give_back_excess(kind == Kind::Failed);
        Ok(Some(Frame::of_body(kind, body)))
    }

    /// [`frame`](Self::frame), after having asked for the bell.
    fn frame_parked(&mut self, verdict: bool) -> io::Result<Option<Frame>> {
        let turns = self.memory.turns();
        let there = if verdict { turns.stays_parked(self.turn).is_some() } else { turns.is_answered_parked(self.turn) };
        if there { self.frame(verdict) } else { Ok(None) }
    }
}

impl Line for SharedLine {
    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        Writer::new(&mut self.memory, 0, limit)
    }

    fn post(&mut self, written: usize, mut outgoing: Outgoing) -> io::Result<()> {
        let is_alone = outgoing.is_empty();
        if !is_alone {
            let mut frame = frame::begin();
            codec::encode_to(outgoing.forget(), &mut frame).map_err(io::Error::other)?;
            frame::finish(Kind::Attached, &mut frame);
            let sent = self.stream.send_now(&frame, outgoing.descriptors());
            buffer::give(frame);
            match sent {
                Ok(()) => outgoing.is_sent(),
                // It is gone, which the wait for its answer will find out.
                Err(e) if matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::WriteZero) => {
                    self.is_deaf = true;
                    return Ok(());
                }
                Err(e) => {
                    self.put_back(outgoing);
                    return Err(e);
                }
            }
        }
        self.outgoing = outgoing;
        let turns = self.memory.turns();
        turns.down.descriptors.store(u32::from(!is_alone), Ordering::Relaxed);
        turns.down.length.store(written as u64, Ordering::Relaxed);
        let next = turn::next(self.turn);
        self.left = !turns.post(self.turn, next, &SharedFutex::ENDLESS);
        self.turn = next;
        self.look.is_due = true;
        Ok(())
    }

    fn take_outgoing(&mut self) -> Outgoing {
        std::mem::take(&mut self.outgoing)
    }

    fn put_back(&mut self, mut outgoing: Outgoing) {
        outgoing.take_back();
        self.outgoing = outgoing;
    }

    fn take_incoming(&mut self, failed: bool) -> Incoming {
        if failed {
            self.outgoing.take_back();
        }
        Incoming::answer(self.stream.take_descriptors(), self.outgoing.take_lent())
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, host: &Host, verdict: bool) -> Poll<io::Result<Frame>> {
        if self.left {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.is_deaf {
            let reason = "descriptors of earlier jobs that were not read";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
        }
        let turns = self.memory.turns();
        if !verdict {
            let contended = turns.up.contended.load(Ordering::Relaxed) != 0;
            self.look.until(contended, || turns.is_answered(self.turn));
        }
        if let Some(frame) = self.frame(verdict)? {
            return Poll::Ready(Ok(frame));
        }
        loop {
            let turns = self.memory.turns();
            turns.down.cpu.store(cpu::current(), Ordering::Relaxed);
            turns.park();
            if let Some(frame) = self.frame_parked(verdict)? {
                return Poll::Ready(Ok(frame));
            }
            std::task::ready!(self.bell.poll_readable(cx, host))?;
            if !self.bell.is_edge_triggered() {
                silence(self.bell.descriptor());
            }
        }
    }

    fn last_frame(&mut self, verdict: bool) -> io::Result<Option<Frame>> {
        let frame = if self.left { None } else { self.frame(verdict)? };
        if frame.is_none() && !verdict && !self.memory.turns().is_taken(self.turn) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(frame)
    }

    fn hang_up(&mut self) {
        self.memory.turns().hang_up(self.turn, &SharedFutex::ENDLESS);
    }
}

/// A look for the answer before the caller parks: worth it only where recent jobs were that short, and it finds out
/// by itself. Each look in vain doubles the number of calls that go without one.
///
/// Where both sides sleep, waking them can take longer than either looks, and neither would ever find out that the other
/// is fast. So looks that have become rare are long: one that sees the answer keeps both sides awake from then on. But not
/// where others compute: who uses a CPU for longer waits longer for the next one.
#[derive(Debug)]
struct Look {
    is_on: bool,
    is_due: bool,
    misses: u32,
    skip: u32,
}

impl Look {
    const SHORT: Duration = Duration::from_micros(2);
    const LONG: Duration = Duration::from_micros(100);
    /// After so many in vain, looks are long: one in 64 calls, and in the end one in 512.
    const RARE: u32 = 6;
    const RAREST: u32 = 9;

    fn until(&mut self, contended: bool, is_there: impl Fn() -> bool) {
        if !self.is_on || !std::mem::take(&mut self.is_due) || is_there() {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let most = if self.misses >= Self::RARE && !contended { Self::LONG } else { Self::SHORT };
        let start = Instant::now();
        loop {
            for _ in 0..16 {
                std::hint::spin_loop();
                if is_there() {
                    self.misses = 0;
                    return;
                }
            }
            if start.elapsed() >= most {
                self.misses = (self.misses + 1).min(Self::RAREST);
                self.skip = 1 << self.misses;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_look_sees_what_short_ones_never_would() {
        let mut look = Look { is_on: true, is_due: false, misses: 0, skip: 0 };
        let seen = (0..200).any(|_| {
            let posted = Instant::now();
            look.is_due = true;
            look.until(false, || posted.elapsed() > Look::SHORT * 10);
            look.misses == 0
        });
        assert!(seen);
    }
}
