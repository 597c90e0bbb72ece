//! The stderr of a worker whose report is to have the tail of it: the tee reads it from a pipe, and writes it to the
//! program's stderr, in whole lines.
//!
//! A thread of its own does that, so that a full stderr delays only the worker, whose pipe is then full, as it would be
//! without the tee. It reads until no process has the other end, which a process that the worker has started may keep;
//! waiting for the end of a worker does not include that.

use super::printer;
use crate::parent::background::BackgroundExecutor;
use crate::sys::fork_registry::{TrackedFd, TrackedGift};
use crate::sys::pipes;
use async_io::{Async, Timer};
use futures_lite::future;
use rustix::io::Errno;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The size of the tail, in bytes.
const KEPT: usize = 64 << 10;
/// How much to read at once.
const CHUNK: usize = 64 << 10;
/// How much to read at the end of a worker at most: a process that it has started may go on writing.
const AT_END: usize = 1 << 20;
/// How long to wait for the rest of a line: a prompt has none, and a worker on a busy machine writes it late.
const REST: Duration = Duration::from_secs(1);

static PRINTER: BackgroundExecutor = BackgroundExecutor::new("offproc-stderr");

/// How many pieces are on their way to stderr; the end of the program waits for them.
static UNDER_WAY: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

/// All tees, for the end of the program.
static TEES: Mutex<Vec<Weak<Tee>>> = Mutex::new(Vec::new());

#[derive(Debug)]
pub(crate) struct Tee {
    pipe: Async<TrackedFd>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    end: Vec<u8>,
    unwritten: Vec<u8>,
}

impl Tee {
    /// The worker's end of the pipe comes with it.
    pub(crate) fn open() -> io::Result<(Arc<Self>, TrackedGift)> {
        PRINTER.ensure()?;
        printer::ensure()?;
        let (ours, theirs) = pipes::pipe()?;
        let tee = Arc::new(Self { pipe: Async::new(ours)?, state: Mutex::default() });
        let mut tees = TEES.lock().unwrap_or_else(PoisonError::into_inner);
        tees.retain(|tee| tee.strong_count() > 0);
        tees.push(Arc::downgrade(&tee));
        drop(tees);
        PRINTER.spawn_background(Arc::clone(&tee).pass_on());
        Ok((tee, theirs))
    }

    async fn pass_on(self: Arc<Self>) {
        loop {
            let readable = async { self.pipe.readable().await.is_ok() };
            let is_rest_late = async {
                if self.has_rest() {
                    Timer::after(REST).await;
                } else {
                    future::pending::<()>().await;
                }
                self.print(Which::All);
                self.pipe.readable().await.is_ok()
            };
            if !future::or(readable, is_rest_late).await {
                return;
            }
            let _piece = Piece::begin();
            if !self.take_in(CHUNK) {
                return self.print(Which::All);
            }
            self.print(Which::Lines);
        }
    }

    /// Reads what is there, up to `most` bytes; false at the end of the pipe.
    fn take_in(&self, most: usize) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut taken = 0;
        while taken < most {
            chunk.clear();
            match pipes::read(self.pipe.get_ref(), &mut chunk) {
                Ok(0) => return false,
                Ok(count) => {
                    taken += count;
                    state.unwritten.extend_from_slice(&chunk);
                    state.end.extend_from_slice(&chunk);
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

    fn has_rest(&self) -> bool {
        !self.state.lock().unwrap_or_else(PoisonError::into_inner).unwritten.is_empty()
    }

    /// On the printer's thread only, so that pieces stay in order.
    fn print(&self, which: Which) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = match which {
            Which::Lines if state.unwritten.len() < KEPT => {
                state.unwritten.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
            }
            _ => state.unwritten.len(),
        };
        let rest = state.unwritten.split_off(lines);
        let lines = std::mem::replace(&mut state.unwritten, rest);
        drop(state);
        printer::print(lines);
    }

    /// The tail of a worker that has ended.
    pub(crate) fn tail(self: &Arc<Self>) -> String {
        self.take_in_rest();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.end).into_owned()
    }

    fn take_in_rest(self: &Arc<Self>) {
        let piece = Piece::begin();
        let _ = self.take_in(AT_END);
        let tee = Arc::clone(self);
        PRINTER.spawn_background(async move {
            tee.print(Which::All);
            drop(piece);
        });
    }
}

/// Which part of the text that was read.
enum Which {
    /// Whole lines, or a part of one that is too long.
    Lines,
    All,
}

/// Reads what all workers have written so far, and waits until it is printed; until the deadline at most.
pub(crate) fn settle(deadline: Instant) {
    let tees = std::mem::take(&mut *TEES.lock().unwrap_or_else(PoisonError::into_inner));
    for tee in tees.iter().filter_map(Weak::upgrade) {
        tee.take_in_rest();
    }
    let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    while *under_way > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        (under_way, _) = DONE.wait_timeout(under_way, left).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Counts as a piece on its way, until it is dropped.
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
