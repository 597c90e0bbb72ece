//! The pipe of one worker's log. A thread for logs reads it, and so does a call that has received a job's answer, so
//! that the job's records are delivered before the caller gets the answer.
//!
//! Records are delivered in *rounds*, by one thread at a time. A round reads what is in the pipe, up to the capacity of
//! a pipe: all that was written before the round began. No thread waits for a lock here: a sink is the program's code,
//! and may never return. So the background thread, on which all timers depend, neither has rounds nor drops sinks: it
//! leaves both to the thread for logs.

use super::open_pipes::{OpenPipe, WriterEnd};
use crate::parent::background::{BackgroundExecutor, is_background_thread_itself};
use crate::settings::log_forwarding::{LogForwarding, LogSink};
use crate::sys::fork_registry::{TrackedFd, TrackedGift};
use crate::sys::{counter, pipes, stderr};
use crate::wait_list::wake;
use crate::wire::log::{self, Next, Run};
use async_io::Async;
use atomic_waker::AtomicWaker;
use futures_lite::future;
use rustix::io::Errno;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};

/// How much to read at first: most jobs log little.
const FIRST: usize = 4096;
/// How many rounds there are after the worker's end: it may have made its pipe larger, and processes that it has
/// started may go on writing.
const ROUNDS_AT_END: u32 = 32;

static READERS: BackgroundExecutor = BackgroundExecutor::new("offproc-logs");

#[derive(Debug)]
pub(crate) struct LogPipe {
    pipe: Async<TrackedFd>,
    dropped: TrackedFd,
    forwarding: LogForwarding,
    sink: Mutex<Option<JobSink>>,
    reader: Mutex<Reader>,
    /// How many rounds are over.
    rounds: AtomicU64,
    /// Nothing more comes.
    is_over: AtomicBool,
    // The job's caller, if it waits for the end of a round. The background task waits as `end.reader`.
    caller: AtomicWaker,
    end: Arc<WriterEnd>,
    /// What it holds, in bytes.
    capacity: usize,
    _open: OpenPipe,
}

/// The sink of the current job.
#[derive(Debug)]
struct JobSink {
    job: u32,
    sink: Arc<dyn LogSink>,
    /// The number of the round after which it has its last record.
    last_round: u64,
}

/// The worker's descriptors: the pipe to write to, and the counter of what it drops.
pub(crate) type WorkerEnds = [TrackedGift; 2];

impl LogPipe {
    /// A pipe that the background thread reads.
    pub(crate) fn open(forwarding: &LogForwarding) -> io::Result<(Arc<Self>, WorkerEnds)> {
        READERS.ensure()?;
        let (pipe, theirs) = Self::new(forwarding)?;
        let pipe = Arc::new(pipe);
        READERS.spawn_background(Arc::clone(&pipe).read_to_end());
        Ok((pipe, theirs))
    }

    pub(crate) fn new(forwarding: &LogForwarding) -> io::Result<(Self, WorkerEnds)> {
        let (ours, theirs, capacity) = pipes::non_blocking()?;
        let (dropped, their_dropped) = counter::open()?;
        let end = Arc::<WriterEnd>::default();
        let pipe = Self {
            pipe: Async::new(ours)?,
            dropped,
            sink: Mutex::default(),
            reader: Mutex::default(),
            rounds: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            caller: AtomicWaker::new(),
            _open: OpenPipe::enter(forwarding.id(), Arc::clone(&end)),
            end,
            capacity,
            forwarding: forwarding.clone(),
        };
        Ok((pipe, [theirs, their_dropped]))
    }

    /// Records the end of the worker's process.
    pub(crate) fn writer_end(&self) -> Arc<WriterEnd> {
        Arc::clone(&self.end)
    }

    pub(super) fn forwarding(&self) -> &LogForwarding {
        &self.forwarding
    }

    /// Sets the sink of the job with this number; records of any other job go to the context's sink.
    pub(crate) fn set_sink(&self, sink: Option<(u32, Arc<dyn LogSink>)>) {
        let sink = sink.map(|(job, sink)| JobSink { job, sink, last_round: u64::MAX });
        let replaced = std::mem::replace(&mut *self.lock_sink(), sink);
        end(replaced);
    }

    /// The job is over. Its sink has its last record once so many rounds are, too, and is dropped then.
    pub(super) fn release_sink_after(&self, rounds: u64) {
        if let Some(sink) = &mut *self.lock_sink() {
            sink.last_round = rounds;
        }
        self.release_sink();
    }

    fn release_sink(&self) {
        let rounds = self.rounds();
        let released = self.lock_sink().take_if(|sink| sink.last_round <= rounds);
        end(released);
    }

    fn lock_sink(&self) -> MutexGuard<'_, Option<JobSink>> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sink_of(&self, job: u32) -> Arc<dyn LogSink> {
        match &*self.lock_sink() {
            Some(current) if current.job == job => Arc::clone(&current.sink),
            _ => self.forwarding.forwarder().sink(),
        }
    }

    /// Reads the worker's log, up to its end.
    async fn read_to_end(self: Arc<Self>) {
        let mut rounds_left = ROUNDS_AT_END;
        loop {
            // Check this before the pipe: then all that the worker wrote before its end is in the pipe.
            let has_ended = self.end.is_noted();
            match poll_fn(|cx| self.poll_round(cx, &self.end.reader)).await {
                Found::All if !has_ended => {
                    if !poll_fn(|cx| self.poll_news(cx)).await {
                        break;
                    }
                }
                Found::All | Found::Closed => break,
                Found::Part => {
                    rounds_left -= u32::from(has_ended);
                    if rounds_left == 0 {
                        break;
                    }
                    future::yield_now().await;
                }
            }
        }
        // A partial record that may be left will not be completed.
        self.is_over.store(true, Ordering::SeqCst);
        poll_fn(|cx| self.poll_round(cx, &self.end.reader)).await;
    }

    /// Ready when there is something to read, or the worker has ended; false if neither can be known any more.
    fn poll_news(&self, cx: &mut Context<'_>) -> Poll<bool> {
        self.end.reader.register(cx.waker());
        if self.end.is_noted() {
            return Poll::Ready(true);
        }
        self.pipe.poll_readable(cx).map(|readable| readable.is_ok())
    }

    /// How many rounds must be over so that what is in the pipe now has been delivered, by any thread.
    pub(super) fn rounds_needed(&self) -> u64 {
        // One may have begun, and may have read the pipe already.
        self.rounds() + 2
    }

    pub(super) fn has_had(&self, rounds: u64) -> bool {
        self.rounds() >= rounds
    }

    /// How many rounds are over.
    pub(super) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::SeqCst)
    }

    /// The thread for logs will have a round, unless another thread has one then.
    pub(super) fn ask_for_round(self: &Arc<Self>) {
        let pipe = Arc::clone(self);
        READERS.spawn_background(async move {
            let _ = pipe.round();
        });
    }

    /// The end of a round wakes the caller of a job.
    pub(super) fn wake_after_round(&self, cx: &Context<'_>) {
        self.caller.register(cx.waker());
    }

    /// A round by the caller of a job; pending while another thread has one.
    pub(super) fn poll_round_of_caller(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_round(cx, &self.caller).map(drop)
    }

    fn poll_round(&self, cx: &mut Context<'_>, waiter: &AtomicWaker) -> Poll<Found> {
        if let Some(found) = self.round() {
            return Poll::Ready(found);
        }
        waiter.register(cx.waker());
        self.round().map_or(Poll::Pending, Poll::Ready)
    }

    /// Delivers what is in the pipe, unless another thread does.
    pub(crate) fn round(&self) -> Option<Found> {
        let mut reader = match self.reader.try_lock() {
            Ok(reader) => reader,
            Err(TryLockError::Poisoned(reader)) => reader.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let found = reader.take_in(self);
        if self.is_over.load(Ordering::SeqCst) {
            reader.give_up();
        }
        self.tell_dropped(&mut reader);
        self.rounds.fetch_add(1, Ordering::SeqCst);
        drop(reader);
        self.release_sink();
        self.caller.take().into_iter().for_each(wake);
        self.end.reader.wake();
        Some(found)
    }

    fn tell_dropped(&self, reader: &mut Reader) {
        let dropped = counter::take(&self.dropped).saturating_add(std::mem::take(&mut reader.lost));
        if dropped > 0 {
            let of_job = self.lock_sink().as_ref().map(|current| Arc::clone(&current.sink));
            if !of_job.unwrap_or_else(|| self.forwarding.forwarder().sink()).tell_dropped(dropped) {
                reader.lost = dropped;
            }
        }
    }
}

impl Drop for LogPipe {
    fn drop(&mut self) {
        end(self.sink.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Drops a sink. That may end a span, which runs the program's code.
fn end(sink: Option<JobSink>) {
    if let Some(sink) = sink.filter(|_| is_background_thread_itself()) {
        READERS.spawn_background(async move { drop(sink) });
    }
}

/// What a round has found in the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// All there was.
    All,
    /// So much that there may be more.
    Part,
    /// The end: no process can write to it any more.
    Closed,
}

#[derive(Debug, Default)]
struct Reader {
    /// The part of a record that has come.
    bytes: Vec<u8>,
    /// Some bytes were invalid, so what follows cannot be read either.
    is_lost: bool,
    /// How many records were not delivered and not yet reported as dropped.
    lost: u64,
}

impl Reader {
    fn take_in(&mut self, pipe: &LogPipe) -> Found {
        let mut taken = 0;
        loop {
            self.bytes.reserve(if taken == 0 { FIRST } else { pipes::USUAL });
            match pipes::read(pipe.pipe.get_ref(), &mut self.bytes) {
                Ok(0) => return Found::Closed,
                Ok(count) => {
                    taken += count;
                    let is_all = self.bytes.len() < self.bytes.capacity();
                    self.deliver(pipe);
                    if is_all {
                        self.bytes.shrink_to(FIRST);
                        return Found::All;
                    }
                    if taken >= pipe.capacity {
                        return Found::Part;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Found::All,
                Err(_) => return Found::Closed,
            }
        }
    }

    /// Delivers the records that are whole.
    fn deliver(&mut self, pipe: &LogPipe) {
        let mut left = &self.bytes[..];
        loop {
            match log::next(left) {
                _ if self.is_lost => left = &[],
                Next::Record { job, .. } => {
                    let mut run = Run::new(&mut left, job);
                    let refused = pipe.sink_of(job).deliver(&mut run);
                    self.lost = self.lost.saturating_add(refused).saturating_add(run.count() as u64);
                    continue;
                }
                Next::Incomplete => {}
                Next::TooLong(length) => {
                    stderr::warn(format!(
                        "the log of a worker cannot be read any more: it has begun a record of {length} bytes"
                    ));
                    (self.is_lost, self.lost) = (true, self.lost.saturating_add(1));
                    left = &[];
                }
            }
            break;
        }
        let delivered = self.bytes.len() - left.len();
        self.bytes.drain(..delivered);
    }

    /// Counts a partial record as dropped, as it will not be completed.
    fn give_up(&mut self) {
        if !std::mem::take(&mut self.bytes).is_empty() {
            self.lost = self.lost.saturating_add(1);
        }
    }
}
