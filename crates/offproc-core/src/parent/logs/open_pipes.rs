//! The list of open log pipes, which the end of a context and of the program wait for.

use crate::parent::timer::sleep;
use crate::settings::log_forwarding::LogForwarding;
use crate::sorted_map::SortedMap;
use crate::wait_list::{WaitList, wake_all};
use atomic_waker::AtomicWaker;
use futures_lite::future;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

static OPEN: Mutex<OpenPipes> = Mutex::new(OpenPipes { pipes: SortedMap::new(), last: 0, waiting: WaitList::new() });
static CLOSED: Condvar = Condvar::new();

struct OpenPipes {
    /// By ticket: the context, and the end of the writer.
    pipes: SortedMap<u64, (u64, Arc<WriterEnd>)>,
    last: u64,
    waiting: WaitList,
}

impl OpenPipes {
    fn has_any_of(&self, context: u64) -> bool {
        self.pipes.values().any(|(of, _)| *of == context)
    }
}

fn lock() -> MutexGuard<'static, OpenPipes> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the process that writes to a pipe has ended. The pipe itself does not show it, as a process that the worker
/// has started may have the pipe, too.
#[derive(Debug, Default)]
pub(crate) struct WriterEnd {
    has_ended: AtomicBool,
    /// The background task that reads the pipe.
    pub(super) reader: AtomicWaker,
}

impl WriterEnd {
    /// Records that the process has ended: all that it has written is in the pipe.
    pub(crate) fn note(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.reader.wake();
    }

    pub(super) fn is_noted(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }
}

/// One open pipe, until it is dropped.
#[derive(Debug)]
pub(super) struct OpenPipe {
    ticket: u64,
}

impl OpenPipe {
    pub(super) fn enter(context: u64, end: Arc<WriterEnd>) -> Self {
        let mut open = lock();
        open.last += 1;
        let ticket = open.last;
        open.pipes.insert(ticket, (context, end));
        Self { ticket }
    }
}

impl Drop for OpenPipe {
    fn drop(&mut self) {
        let mut open = lock();
        open.pipes.remove(self.ticket);
        let waiting = open.waiting.take_all();
        drop(open);
        CLOSED.notify_all();
        wake_all(waiting);
    }
}

/// Ready once no pipe of the context is open: the logs of all its workers are delivered.
fn all_closed(context: u64) -> impl Future<Output = ()> + Send {
    let mut ticket = Ticket(None);
    poll_fn(move |cx| {
        let mut open = lock();
        if !open.has_any_of(context) {
            return Poll::Ready(());
        }
        let replaced = open.waiting.enter(&mut ticket.0, cx.waker().clone());
        drop(open);
        drop(replaced);
        Poll::Pending
    })
}

impl LogForwarding {
    /// Ready once the logs of all workers that have ended are delivered; if a sink does not return, after a second.
    pub fn settled(&self) -> impl Future<Output = ()> + Send + use<> {
        const PATIENCE: Duration = Duration::from_secs(1);
        future::or(all_closed(self.id()), async { sleep(PATIENCE).await })
    }
}

/// In the list of those who wait, until it is dropped.
struct Ticket(Option<u64>);

impl Drop for Ticket {
    fn drop(&mut self) {
        let waker = self.0.and_then(|ticket| lock().waiting.leave(ticket));
        drop(waker);
    }
}

/// For the end of the program, when there are no workers any more: waits, until the deadline at most, until all their
/// logs are delivered.
pub fn settle(deadline: Instant) {
    let mut open = lock();
    let ends: Vec<_> = open.pipes.values().map(|(_, end)| Arc::clone(end)).collect();
    drop(open);
    // They may not have been reaped.
    ends.iter().for_each(|end| end.note());
    open = lock();
    while !open.pipes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        (open, _) = CLOSED.wait_timeout(open, left).unwrap_or_else(PoisonError::into_inner);
    }
}
