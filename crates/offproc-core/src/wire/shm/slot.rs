//! The words in shared memory by which a parent and a worker hand each other work without a system call, and wake each
//! other only when the other side has said that it sleeps.
//!
//! Each job has a *sequence number*. The parent takes the next one for each job and publishes it in `seq`; the worker
//! publishes its answer by writing the same number to `reply`, and after that, if it has a retirement policy, its
//! decision in `decision`. Two more values of `seq` end the channel: the worker writes [`LEFT`] when it leaves by
//! itself, the parent [`CLOSED`] to request the shutdown. Both only replace the number that their side saw last, by
//! compare-and-exchange, so that a job and a leave never cross: one of the two comes first, and the other side sees it.
//! (A parent that requests the shutdown of a worker with a job takes the job back, unless `taken` says that the worker
//! has begun to read it.)
//!
//! Beside the number, the word `seq` has a count of *reminders*: the worker is to look at something in memory other
//! than a job. Any thread of the parent adds one, at any time, and wakes a worker that sleeps. The side that owns the
//! memory ignores the count when it compares the word: it replaces the number, by compare-and-exchange, whatever the
//! count.
//!
//! `README.md` in this folder has the states of the two sides, and the steps by which they sleep and wake each other.
//!
//! Sleeping is Dekker's pattern: the side that wants to sleep sets a flag, and then looks for news once more; the side
//! that has news publishes it, and then looks at the flag. With all four steps sequentially consistent, at least one
//! side sees the other's write. `tests/models/shared-memory` in the repository checks the interleavings.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// In `seq`: the worker has left.
pub(crate) const LEFT: u32 = u32::MAX;
/// In `seq`: the parent has requested the shutdown.
pub(crate) const CLOSED: u32 = u32::MAX - 1;
/// In `decision`, on top of the sequence number: the worker leaves.
const LEAVES: u32 = 1 << 31;
/// The part of the word `seq` that is the sequence number...
const SEQ: u32 = REMINDER - 1;
/// ...and one reminder in what is above it, up to `LEAVES`.
const REMINDER: u32 = 1 << 20;
/// In `hints`: the worker's CPU is contended.
pub(crate) const CONTENDED: u32 = 1;
/// In `hints`: the worker has had no job for a while, and may sleep.
pub(crate) const IDLE: u32 = 2;
/// After so many reminders the count wraps around: far fewer may be pending at a time.
const REMINDERS: u32 = LEAVES / REMINDER;

/// The sequence number in a word.
fn seq_of(word: u32) -> u32 {
    word & SEQ
}

fn is_over(word: u32) -> bool {
    word >= CLOSED
}

/// One reminder more.
fn reminded(word: u32) -> u32 {
    word.wrapping_add(REMINDER) & !LEAVES
}

/// How a worker sleeps, and is woken.
pub(crate) trait Futex {
    /// Sleeps while the word is `seen`, until woken; may return early. False if the deadline has passed.
    fn wait(&self, word: &AtomicU32, seen: u32) -> bool;
    /// Wakes the side that sleeps on the word.
    fn wake(&self, word: &AtomicU32);
}

/// The words. Each side's are on a cache line of their own; the parent trusts none of them.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) parent: ParentWords,
    pub(crate) worker: WorkerWords,
    /// Not 0: the worker sleeps.
    worker_sleeps: CachePadded<AtomicU32>,
}

#[repr(align(64))]
#[derive(Debug, Default)]
struct CachePadded<T>(T);

/// The words that the parent writes (and the worker, when it leaves).
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(crate) struct ParentWords {
    seq: AtomicU32,
    /// Not 0: the parent waits for the doorbell.
    parked: AtomicU32,
    /// The length of the job.
    pub(crate) length: AtomicU64,
    /// How many descriptors go with the job.
    pub(crate) descriptors: AtomicU32,
    /// The CPU on which the parent waits for the doorbell.
    pub(crate) cpu: AtomicU32,
    /// The number of a chunk whose items that have not begun are not wanted, or 0.
    pub(crate) withdrawn: AtomicU32,
}

/// The words that the worker writes.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(crate) struct WorkerWords {
    reply: AtomicU32,
    /// The job that the worker has begun to read.
    taken: AtomicU32,
    decision: AtomicU32,
    /// The kind of the answer.
    pub(crate) kind: AtomicU32,
    /// The length of the answer.
    pub(crate) length: AtomicU64,
    /// How many descriptors go with the answer.
    pub(crate) descriptors: AtomicU32,
    /// [`CONTENDED`], [`IDLE`].
    pub(crate) hints: AtomicU32,
    /// Of the answer to a chunk: so many bytes are there, should the worker die. The parent sets it to 0 before.
    pub(crate) published: AtomicU64,
}

/// What the worker finds when it looks at `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Job(u32),
    /// There was a reminder; this is the word after which to look for news.
    Reminder(u32),
    Closed,
    /// The worker has left, as nothing came in time.
    Idle,
}

/// The sequence number after this one.
pub(crate) fn next_seq(seq: u32) -> u32 {
    if seq >= SEQ { 1 } else { seq + 1 }
}

/// The parent's side.
impl Slot {
    /// Hands over the job with number `next`, which is in memory already. False if the worker has left.
    pub(crate) fn publish_job(&self, last: u32, next: u32, futex: &impl Futex) -> bool {
        self.parent.parked.store(0, Ordering::Relaxed);
        let posted = self.replace(last, next);
        if posted {
            self.wake(futex);
        }
        posted
    }

    /// Requests that the worker leave, unless it has left or has a job.
    pub(crate) fn request_shutdown(&self, last: u32, futex: &impl Futex) {
        if self.replace(last, CLOSED) {
            self.wake(futex);
        }
    }

    /// Has the worker look at something other than a job, when it has none. From any thread, whichever side owns the
    /// memory.
    pub(crate) fn remind(&self, futex: &impl Futex) {
        let mut seen = self.parent.seq.load(Ordering::Relaxed);
        // A compromised worker could change the word for ever.
        for _ in 0..REMINDERS {
            if is_over(seen) {
                return;
            }
            match self.parent.seq.compare_exchange(seen, reminded(seen), Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return self.wake(futex),
                Err(now) => seen = now,
            }
        }
    }

    fn wake(&self, futex: &impl Futex) {
        if self.worker_sleeps.0.load(Ordering::SeqCst) != 0 {
            futex.wake(&self.parent.seq);
        }
    }

    /// A hint that the worker has set. Relaxed, as it may be out of date anyhow.
    pub(crate) fn has_hint(&self, hint: u32) -> bool {
        self.worker.hints.load(Ordering::Relaxed) & hint != 0
    }

    pub(crate) fn is_answered(&self, seq: u32) -> bool {
        self.worker.reply.load(Ordering::Acquire) == seq
    }

    /// Whether the worker stays after this job; `None` until it has decided.
    pub(crate) fn decision(&self, seq: u32) -> Option<bool> {
        match self.worker.decision.load(Ordering::Acquire) {
            word if word == seq => Some(true),
            word if word == seq | LEAVES => Some(false),
            _ => None,
        }
    }

    /// True once the worker has begun to read this job.
    pub(crate) fn is_taken(&self, seq: u32) -> bool {
        self.worker.taken.load(Ordering::Acquire) == seq
    }

    /// Asks for the doorbell. Look once more after this: an answer that came before it does not ring.
    pub(crate) fn park(&self) {
        self.parent.parked.store(1, Ordering::SeqCst);
    }

    /// [`is_answered`](Self::is_answered), in the order that sleeping needs.
    pub(crate) fn is_answered_parked(&self, seq: u32) -> bool {
        self.worker.reply.load(Ordering::SeqCst) == seq
    }

    /// [`decision`](Self::decision), in the order that sleeping needs.
    pub(crate) fn decision_parked(&self, seq: u32) -> Option<bool> {
        let _ = self.worker.decision.load(Ordering::SeqCst);
        self.decision(seq)
    }
}

/// Both sides.
impl Slot {
    /// Replaces a number, whatever the count of reminders. False if another number was there.
    fn replace(&self, last: u32, new: u32) -> bool {
        let mut seen = last;
        // A compromised worker could change the word for ever.
        for _ in 0..REMINDERS {
            match self.parent.seq.compare_exchange(seen, new, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) if !is_over(now) && seq_of(now) == seq_of(last) => seen = now,
                Err(_) => return false,
            }
        }
        false
    }
}

/// The worker's side.
impl Slot {
    /// The news after the word `last`, if there is any.
    pub(crate) fn look(&self, last: u32) -> Option<Found> {
        let word = self.parent.seq.load(Ordering::Acquire);
        if word == last {
            return None;
        }
        Some(self.found(word, last))
    }

    fn found(&self, word: u32, last: u32) -> Found {
        match word {
            CLOSED => Found::Closed,
            LEFT => Found::Idle,
            word if seq_of(word) == seq_of(last) => Found::Reminder(word),
            word => {
                self.worker.taken.store(seq_of(word), Ordering::Release);
                Found::Job(seq_of(word))
            }
        }
    }

    /// Sleeps until there is news after the word `last`; leaves if the futex says that the deadline has passed.
    pub(crate) fn sleep(&self, last: u32, futex: &impl Futex) -> Found {
        self.worker_sleeps.0.store(1, Ordering::SeqCst);
        let found = loop {
            let word = self.parent.seq.load(Ordering::SeqCst);
            if word != last {
                break self.found(word, last);
            }
            if !futex.wait(&self.parent.seq, last) && self.leave(last) {
                break Found::Idle;
            }
        };
        self.worker_sleeps.0.store(0, Ordering::Relaxed);
        found
    }

    /// Leaves, unless there is a job.
    pub(crate) fn leave(&self, last: u32) -> bool {
        self.replace(last, LEFT)
    }

    /// Sets the hint that the worker has no job.
    pub(crate) fn set_idle(&self) {
        self.worker.hints.fetch_or(IDLE, Ordering::Relaxed);
    }

    /// Publishes the answer to a job, which is in memory already. True: ring the doorbell.
    #[must_use]
    pub(crate) fn publish_answer(&self, seq: u32) -> bool {
        self.worker.reply.store(seq, Ordering::SeqCst);
        self.wants_doorbell()
    }

    /// Publishes whether the worker stays after a job. True: ring the doorbell.
    #[must_use]
    pub(crate) fn publish_decision(&self, seq: u32, stays: bool) -> bool {
        self.worker.decision.store(if stays { seq } else { seq | LEAVES }, Ordering::SeqCst);
        self.wants_doorbell()
    }

    fn wants_doorbell(&self) -> bool {
        self.parent.parked.load(Ordering::SeqCst) != 0 && self.parent.parked.swap(0, Ordering::SeqCst) != 0
    }
}

// The path is for the model, which has this file in another place.
#[cfg(all(test, not(loom)))]
#[path = "slot/tests.rs"]
mod tests;
