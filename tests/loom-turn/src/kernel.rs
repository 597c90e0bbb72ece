//! What the kernel does: the futex, and the eventfd with a runtime that watches it.

use crate::sync::{AtomicU32, Ordering};
use crate::turn;
use loom::sync::{Condvar, Mutex};

/// A futex for one word.
///
/// No more is promised than by the system's manual: comparing and going to sleep is one step for whoever wakes, but
/// not a fence. The word is read relaxed, so it may be read as it was before a change that nobody has woken for.
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

impl turn::Futex for Futex {
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

/// The eventfd, and the event queue it is watched by.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    /// What a read of the descriptor gives.
    count: u64,
    /// How often it was written to.
    events: u64,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let mut state = self.state.lock().unwrap();
        state.count += 1;
        state.events += 1;
        drop(state);
        self.rung.notify_one();
    }
}

/// How the parent's runtime watches the bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Each event once, read or not.
    Edge,
    /// As long as it was not read.
    Level,
    /// As `Edge`, by another runtime for each job: the first time it tells of what is there to read, old or new.
    EdgeAnew,
}

/// The bell, as the parent watches it.
#[derive(Debug)]
pub(crate) struct Watch {
    trigger: Trigger,
    told: u64,
    is_new: bool,
}

impl Watch {
    pub(crate) fn new(trigger: Trigger) -> Self {
        Self { trigger, told: 0, is_new: false }
    }

    /// The next job, which may be from a task of another runtime.
    pub(crate) fn renew(&mut self) {
        self.is_new = self.trigger == Trigger::EdgeAnew;
    }

    /// Sleeps until the bell is readable.
    pub(crate) fn wait(&mut self, bell: &Bell) {
        let mut state = bell.state.lock().unwrap();
        let is_told = std::mem::take(&mut self.is_new) && state.count > 0;
        while !is_told && !self.is_readable(&state) {
            state = bell.rung.wait(state).unwrap();
        }
        self.told = state.events;
        drop(state);
        if self.trigger == Trigger::Level {
            bell.state.lock().unwrap().count = 0;
        }
    }

    fn is_readable(&self, state: &Rung) -> bool {
        match self.trigger {
            Trigger::Edge | Trigger::EdgeAnew => state.events != self.told,
            Trigger::Level => state.count > 0,
        }
    }
}
