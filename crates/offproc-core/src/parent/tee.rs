//! A worker's stderr, where the end of it is to be in the report of its death: read from a pipe, and written on to that
//! of the program.
//!
//! A thread of its own does that, so that a stderr which does not take any more holds up nobody else (but the worker,
//! whose pipe is full then: as without). It reads until nobody has the other end, which may be somebody whom the worker
//! has started; whoever waits for the end of a worker does not wait for that.

use super::keeper::Crew;
use crate::sys::descriptors::{self, Descriptor};
use async_io::Async;
use rustix::io::Errno;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// How much of the end is kept, in bytes.
const KEPT: usize = 64 << 10;
/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// How much is read at the end of a worker at most: one that it has started may go on writing.
const AT_END: usize = 1 << 20;

static PRINTER: Crew = Crew::new("offproc-stderr");

/// How many pieces are on their way to stderr, for the end of the program.
static UNDER_WAY: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

#[derive(Debug)]
pub(crate) struct Tee {
    pipe: Async<Descriptor>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    end: Vec<u8>,
    unwritten: Vec<u8>,
}

impl Tee {
    /// The worker's end of the pipe comes with it.
    pub(crate) fn open() -> io::Result<(Arc<Self>, Descriptor)> {
        PRINTER.ensure()?;
        let (ours, theirs) = descriptors::pipe()?;
        let tee = Arc::new(Self { pipe: Async::new(ours)?, state: Mutex::default() });
        let reading = Arc::clone(&tee);
        PRINTER.entrust(async move {
            while reading.pipe.readable().await.is_ok() {
                let piece = Piece::begin();
                let goes_on = reading.take_in(CHUNK);
                reading.write();
                drop(piece);
                if !goes_on {
                    break;
                }
            }
        });
        Ok((tee, theirs))
    }

    /// What is there by now, up to `most` bytes; false at the end of the pipe.
    fn take_in(&self, most: usize) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunk = vec![0; CHUNK];
        let mut taken = 0;
        while taken < most {
            match rustix::io::read(self.pipe.get_ref(), &mut chunk[..]) {
                Ok(0) => return false,
                Ok(count) => {
                    taken += count;
                    state.unwritten.extend_from_slice(&chunk[..count]);
                    state.end.extend_from_slice(&chunk[..count]);
                    let excess = state.end.len().saturating_sub(KEPT);
                    state.end.drain(..excess);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return false,
            }
        }
        true
    }

    /// On the printer's thread only, so that it comes out in order.
    fn write(&self) {
        let unwritten = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).unwritten);
        // Closed, or broken: it is lost, as it would have been.
        let _ = io::stderr().write_all(&unwritten);
    }

    /// What the worker has written last, once it has ended.
    pub(crate) fn last_words(self: &Arc<Self>) -> String {
        let piece = Piece::begin();
        let _ = self.take_in(AT_END);
        let tee = Arc::clone(self);
        PRINTER.entrust(async move {
            tee.write();
            drop(piece);
        });
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.end).into_owned()
    }
}

/// Waits until all that was taken in is written; until the deadline at most.
pub(crate) fn settle(deadline: Instant) {
    let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    while *under_way > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        (under_way, _) = DONE.wait_timeout(under_way, left).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Counts, as long as it is there.
struct Piece(());

impl Piece {
    fn begin() -> Self {
        *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        DONE.notify_all();
    }
}
