//! Sends a worker's log records to the program, through a pipe, which keeps them when the worker dies.
//!
//! The pipe does not block. If it is full, a record waits for as long as the program may need for a few records; then
//! it is dropped, and so are those after it that find the pipe full, until one fits again. The worker counts dropped
//! records in an eventfd, which the program reads, so the count survives the worker.

use crate::error::about;
use crate::job::trampoline::Callback;
use crate::role::depth;
use crate::sys::gifts::{self, Gift};
use crate::sys::{counter, fork, pipes};
use crate::wire::hello::{DEEPEST, Logs};
use crate::wire::log::{HEADER, MAX_LOG_RECORD, header, next_job};
use rustix::io::Errno;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a record waits while the pipe is full.
const PATIENCE: Duration = Duration::from_secs(1);

/// One for each depth: a worker that was forked by a worker inherits that one's memory, and has a writer of its own.
static WRITERS: [OnceLock<LogWriter>; DEEPEST as usize + 1] = [const { OnceLock::new() }; DEEPEST as usize + 1];
/// The level up to which the program wants records.
static LEVEL: AtomicU8 = AtomicU8::new(0);
/// The number of the current job; 0 between jobs.
static JOB: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
struct LogWriter {
    pipe: Gift,
    dropped: Gift,
    level_changed: fn(),
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The rest of a record that was written in part.
    rest: Vec<u8>,
    /// The wait for the last record was unsuccessful.
    is_stuck: bool,
}

/// The functions that run in a worker that logs to its program, before and after its `init` function.
pub(super) struct InitHooks {
    pub(super) before_init: fn(),
    pub(super) after_init: fn(),
}

/// From here on, records go to the program.
pub(super) fn open(logs: &Logs, pipe: Gift, dropped: Gift) -> io::Result<InitHooks> {
    let hook = |hook: Callback<fn()>| hook.get().map_err(io::Error::other);
    let writer = LogWriter {
        pipe: gifts::keep(pipe)?,
        dropped: gifts::keep(dropped)?,
        level_changed: hook(logs.level_changed)?,
        state: Mutex::default(),
    };
    let own = WRITERS.get(depth() as usize).map(|own| own.set(writer));
    own.and_then(Result::ok).ok_or_else(|| about("the log", io::ErrorKind::AlreadyExists))?;
    LEVEL.store(logs.level, Ordering::Relaxed);
    JOB.store(0, Ordering::Relaxed);
    Ok(InitHooks { before_init: hook(logs.before_init)?, after_init: hook(logs.after_init)? })
}

fn writer() -> Option<&'static LogWriter> {
    WRITERS.get(depth() as usize)?.get()
}

/// The level up to which the program wants the worker's records, from 0 for nothing to 5 for everything; see
/// [`LogForwarder::level`](crate::LogForwarder::level).
#[must_use]
pub fn log_level() -> u8 {
    LEVEL.load(Ordering::Relaxed)
}

/// Sends the program a record, which `encode` appends to the vector: [`MAX_LOG_RECORD`](crate::MAX_LOG_RECORD) bytes at
/// most. Does nothing in a process that does not log to its program, or that was forked by a job.
pub fn write_log(encode: impl FnOnce(&mut Vec<u8>)) {
    /// Most records are shorter.
    const USUAL: usize = 512;
    let Some(writer) = writer().filter(|_| !fork::is_copy()) else { return };
    let mut record = Vec::with_capacity(USUAL);
    record.resize(HEADER, 0);
    encode(&mut record);
    let length = record.len() - HEADER;
    record[..HEADER].copy_from_slice(&header(length.min(MAX_LOG_RECORD), JOB.load(Ordering::Relaxed)));
    if length > MAX_LOG_RECORD || !writer.write(&record) {
        let _ = counter::add_one(&writer.dropped);
    }
}

/// The current job. A record that is logged while a job runs belongs to that job, whichever thread logs it.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    writer: Option<&'static LogWriter>,
    last: u32,
}

impl Jobs {
    pub(super) fn new() -> Self {
        Self { writer: writer(), last: 0 }
    }

    pub(super) fn begin(&mut self) {
        if self.writer.is_some() {
            self.last = next_job(self.last);
            JOB.store(self.last, Ordering::Relaxed);
        }
    }

    /// Call this before the answer: what a thread logs later belongs to no job.
    pub(super) fn end(&self) {
        if let Some(writer) = self.writer {
            JOB.store(0, Ordering::Relaxed);
            let mut state = writer.lock();
            if !state.rest.is_empty() {
                let _ = writer.write_rest(&mut state);
            }
        }
    }
}

/// The program has changed the level.
pub(crate) fn set_level(level: u8) {
    if LEVEL.swap(level, Ordering::Relaxed) != level {
        writer().iter().for_each(|writer| (writer.level_changed)());
    }
}

impl LogWriter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if no part of it was written.
    fn write(&self, record: &[u8]) -> bool {
        let mut state = self.lock();
        if !state.rest.is_empty() && !self.write_rest(&mut state) {
            return false;
        }
        match self.write_some(record, &mut state) {
            Some(written) if written == record.len() => true,
            // Longer than `PIPE_BUF`, which is written whole or not at all: the program now waits for the rest of it.
            Some(written) => {
                state.rest.extend_from_slice(&record[written..]);
                let _ = self.write_rest(&mut state);
                true
            }
            None => false,
        }
    }

    fn write_rest(&self, state: &mut State) -> bool {
        let mut rest = std::mem::take(&mut state.rest);
        let mut written = 0;
        while written < rest.len() {
            match self.write_some(&rest[written..], state) {
                Some(count) => written += count,
                None => break,
            }
        }
        rest.drain(..written);
        state.rest = rest;
        state.rest.is_empty()
    }

    /// How much of it was written; `None` if nothing was.
    fn write_some(&self, bytes: &[u8], state: &mut State) -> Option<usize> {
        let mut deadline = None;
        loop {
            match pipes::write(&self.pipe, bytes) {
                Ok(count) => {
                    state.is_stuck = false;
                    return Some(count);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if !state.is_stuck => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
                    let has_room = pipes::wait_for_room(&self.pipe, deadline);
                    state.is_stuck = !has_room.unwrap_or(false);
                }
                Err(_) => return None,
            }
        }
    }
}
