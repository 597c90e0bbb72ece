//! What the kernel does: the memory that both sides map, the futex, and the eventfd with a runtime that watches it.

use crate::sync::{AtomicU32, Ordering};
use crate::wire::shm::slot::{self, Slot};
use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex, MutexGuard};
use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

thread_local! {
    // All threads of a model are one thread of the test.
    static SHARED: RefCell<Weak<Shared>> = const { RefCell::new(Weak::new()) };
}

/// What both sides have.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) slot: Slot,
    /// A job or an answer: one byte, all that the models send.
    pub(crate) data: UnsafeCell<u8>,
    /// What the worker is reminded of: `wire/shm/forgotten.rs`.
    forgotten: loom::sync::atomic::AtomicU32,
    pub(crate) futex: Futex,
    pub(crate) doorbell: Doorbell,
}

// SAFETY: loom checks each access to the data against all others.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// That of this execution.
    pub(crate) fn new() -> Arc<Self> {
        let shared = Arc::new(Self::default());
        SHARED.set(Arc::downgrade(&shared));
        shared
    }

    pub(crate) fn current() -> Arc<Self> {
        SHARED.with_borrow(Weak::upgrade).expect("a model runs")
    }

    /// `Words::forget`, on any thread.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::Release);
        self.slot.remind(&self.futex);
    }

    pub(crate) fn take_forgotten(&self) -> u32 {
        self.forgotten.swap(0, Ordering::Acquire)
    }
}

/// A futex for one word.
///
/// Promises no more than the system's manual: comparing and going to sleep is one step for the thread that wakes, but
/// not a fence. The word is read relaxed, so it may be read as it was before a change without a wake-up.
#[derive(Debug, Default)]
pub(crate) struct Futex {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    time_is_up: bool,
    is_interrupted: bool,
}

impl Futex {
    /// The deadline passes.
    pub(crate) fn end_time(&self) {
        self.queue.lock().unwrap().time_is_up = true;
        self.changed.notify_all();
    }

    /// A signal comes.
    pub(crate) fn interrupt(&self) {
        self.queue.lock().unwrap().is_interrupted = true;
        self.changed.notify_all();
    }
}

impl slot::Futex for Futex {
    fn wait(&self, word: &AtomicU32, seen: u32) -> bool {
        let mut queue = self.queue.lock().unwrap();
        if word.load(Ordering::Relaxed) != seen {
            return true;
        }
        if !std::mem::take(&mut queue.is_interrupted) && !queue.time_is_up {
            queue = self.changed.wait(queue).unwrap();
            queue.is_interrupted = false;
        }
        !queue.time_is_up
    }

    fn wake(&self, _word: &AtomicU32) {
        drop(self.queue.lock().unwrap());
        self.changed.notify_one();
    }
}

/// The eventfd, and who watches it.
#[derive(Debug, Default)]
pub(crate) struct Doorbell(Mutex<Rung>);

#[derive(Debug, Default)]
pub(crate) struct Rung {
    /// What a read of the descriptor gives.
    count: u64,
    /// How often it was written to.
    events: u64,
    watcher: Option<Waker>,
}

impl Doorbell {
    pub(crate) fn ring(&self) {
        let mut state = self.lock();
        state.count += 1;
        state.events += 1;
        let watcher = state.watcher.take();
        drop(state);
        if let Some(watcher) = watcher {
            watcher.wake();
        }
    }

    /// A read of the descriptor.
    pub(crate) fn silence(&self) {
        self.lock().count = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap()
    }
}

/// How the parent's runtime watches the doorbell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Each event once, read or not.
    Edge,
    /// As long as it was not read.
    Level,
    /// As `Edge`, by another runtime for each job: the first time it reports what is there to read, old or new.
    EdgeAnew,
}

/// The doorbell, as one runtime watches it.
#[derive(Debug)]
pub(crate) struct Watch {
    trigger: Trigger,
    reported: u64,
    is_new: bool,
}

impl Watch {
    pub(crate) fn new(trigger: Trigger) -> Self {
        Self { trigger, reported: 0, is_new: false }
    }

    /// The next job, which may be from a task of another runtime.
    pub(crate) fn renew(&mut self) {
        self.is_new = self.trigger == Trigger::EdgeAnew;
    }

    pub(crate) fn is_edge_triggered(&self) -> bool {
        self.trigger != Trigger::Level
    }

    pub(crate) fn poll(&mut self, doorbell: &Doorbell, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = doorbell.lock();
        let is_readable = match self.trigger {
            Trigger::Level => state.count > 0,
            Trigger::Edge | Trigger::EdgeAnew => {
                (std::mem::take(&mut self.is_new) && state.count > 0) || state.events != self.reported
            }
        };
        if is_readable {
            self.reported = state.events;
            return Poll::Ready(());
        }
        state.watcher = Some(cx.waker().clone());
        Poll::Pending
    }
}
