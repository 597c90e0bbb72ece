//! What the job loop and the thread of the link share.

use super::hard_limits::HardLimiter;
use crate::sys::command::{self, End};
use crate::sys::readiness::{self, Interest};
use crate::wire::frame::{self, Kind};
use crate::wire::link::{HardLimits, PIECE, header_of_piece};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// The worker's end of a link.
#[derive(Debug)]
pub(crate) struct WorkerLink {
    outlet: Mutex<End>,
    limiter: Mutex<HardLimiter>,
}

impl WorkerLink {
    pub(super) fn new(outlet: End) -> Self {
        Self { outlet: Mutex::new(outlet), limiter: Mutex::default() }
    }

    fn outlet(&self) -> MutexGuard<'_, End> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limiter(&self) -> MutexGuard<'_, HardLimiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends bytes of the stream, however long that takes.
    pub(in crate::worker) fn send_stream(&self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            command::write_both(&*self.outlet(), &header_of_piece(piece.len()), piece)?;
        }
        Ok(())
    }

    /// Sends a small frame.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        command::write_both(&*self.outlet(), frame, &[])
    }

    /// The same, unless another frame is on its way, or there is no room: then it is not sent. The thread of the link
    /// must not wait for a program that does not read.
    pub(super) fn try_send(&self, frame: &[u8]) -> io::Result<bool> {
        let outlet = match self.outlet.try_lock() {
            Ok(outlet) => outlet,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        // A pipe that is writable has room for 4096 bytes.
        if !readiness::wait(&*outlet, Interest::Writable, Some(Instant::now()))? {
            return Ok(false);
        }
        command::write_both(&*outlet, frame, &[])?;
        Ok(true)
    }

    /// The worker exits as it should: whatever becomes of its command, the program knows.
    pub(in crate::worker) fn say_goodbye(&self) {
        let _ = self.send(&frame::empty(Kind::Goodbye));
    }

    /// The next job has these limits.
    pub(super) fn limit_next(&self, limits: HardLimits) {
        self.limiter().limit_next(limits);
    }

    /// The job begins that was sent last.
    pub(in crate::worker) fn job_begins(&self) {
        self.limiter().begin();
    }

    /// Its answer is about to be sent, so it is in time.
    pub(in crate::worker) fn job_ends(&self) {
        self.limiter().end();
    }

    /// Ends the process if the job has passed a limit, and says so before. Returns how soon to look again; `None`: no
    /// job has limits.
    pub(super) fn enforce(&self) -> Option<Duration> {
        // Held to the end: the job cannot become another meanwhile.
        let limiter = self.limiter();
        let overuse = match limiter.look()? {
            Ok(pause) => return Some(pause),
            Err(overuse) => overuse,
        };
        match self.try_send(&crate::wire::link::frame_of(Kind::Overuse, &overuse)) {
            Ok(true) | Err(_) => command::end_now(),
            Ok(false) => Some(HardLimiter::SOON),
        }
    }
}
