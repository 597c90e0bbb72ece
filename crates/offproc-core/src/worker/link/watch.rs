//! The thread of a link: it reads what comes from the program.

use super::WorkerLink;
use crate::job::codec;
use crate::sys::command::{self, End};
use crate::sys::socket::{self, Blocking, Socket, Unsent};
use crate::wire::frame::{self, Decoder, Frame, Kind};
use crate::wire::link::{MISSING, PIECE};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As good as never, for a heartbeat that the clock does not reach.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// What the thread has.
pub(super) struct Watch {
    pub(super) link: Arc<WorkerLink>,
    pub(super) inlet: End,
    /// Stdin, where the program has sent no more than where to connect to.
    pub(super) held: Option<End>,
    pub(super) decoder: Decoder,
    /// The other end of the job loop's connection.
    pub(super) stream: Socket,
    pub(super) heartbeat: Duration,
}

impl Watch {
    /// Ends the process once the program is gone, busy or not.
    pub(super) fn run(mut self) -> ! {
        self.decoder.set_limit(PIECE);
        let _ = self.keep();
        command::end_now()
    }

    /// Returns where the program is gone, or violates the protocol.
    fn keep(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let (mut heard, mut next_beat) = (now, now);
        // Of the last piece, what the stream has no room for.
        let (mut piece, mut passed) = (None::<Frame>, 0);
        loop {
            while piece.is_none() {
                let Some(frame) = self.decoder.next()? else { break };
                if frame.kind == Kind::Piece {
                    (piece, passed) = (Some(frame), 0);
                } else {
                    self.obey(&frame)?;
                }
            }
            if let Some(frame) = &piece {
                passed += self.pass_on(&frame.body()[passed..])?;
                if passed == frame.body().len() {
                    piece = None;
                    continue;
                }
            }
            let limits = self.link.enforce();
            let now = Instant::now();
            if now >= next_beat {
                // One that does not go shows that something else is on its way, or that the program does not read.
                self.link.try_send(&frame::empty(Kind::Heartbeat))?;
                next_beat = now.checked_add(self.heartbeat).unwrap_or(now + NEVER);
            }
            let until_beat = next_beat.saturating_duration_since(now);
            let patience = limits.map_or(until_beat, |pause| pause.min(until_beat));
            let ready = command::wait([&self.inlet, &self.stream], self.held.as_ref(), piece.is_some(), patience)?;
            if ready.held || ready.inlet && piece.is_some() {
                return Ok(()); // nothing but the end shows then
            }
            if ready.inlet {
                match command::read(&self.inlet, self.decoder.space())? {
                    0 => return Ok(()),
                    count => self.decoder.advance(count),
                }
                heard = Instant::now();
            } else if piece.is_some() {
                // What comes is not read, heartbeats neither.
                heard = now;
            } else if now.saturating_duration_since(heard) >= self.heartbeat.saturating_mul(MISSING) {
                return Ok(());
            }
        }
    }

    fn obey(&self, frame: &Frame) -> io::Result<()> {
        match frame.kind {
            Kind::Heartbeat => {}
            Kind::Kill => command::end_now(),
            Kind::StreamEnd => socket::shut_down_sending(&self.stream),
            Kind::Limits => self.link.limit_next(codec::decode(frame.body()).map_err(io::Error::other)?),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(())
    }

    /// How many bytes the job loop's connection has taken. One that is closed takes all: the worker exits.
    fn pass_on(&self, bytes: &[u8]) -> io::Result<usize> {
        match socket::send(&self.stream, bytes, Blocking::No).map_err(Unsent::from) {
            Ok(count) => Ok(count),
            Err(Unsent::Full) => Ok(0),
            Err(Unsent::Gone) => Ok(bytes.len()),
            Err(Unsent::Refused(e)) => Err(e.into()),
        }
    }
}
