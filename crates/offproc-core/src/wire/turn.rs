//! Whose turn it is: the words in shared memory by which a parent and a worker hand each other work without a system
//! call, and wake each other only when the other side has said that it sleeps.
//!
//! A *turn* is a number. The parent takes the next one for each job and writes it to `turn`; the worker answers by
//! writing it to `reply`, and after that, where it may retire, to `verdict`. Two more values of `turn` end it all:
//! the worker writes [`LEFT`] when it leaves by itself, the parent [`CLOSED`] when it needs the worker no more. Both
//! only replace the turn that their side saw last, by compare-and-exchange, so that a job and a leave never cross: one
//! of the two comes first, and the other side sees it. (A parent that hangs up on a job takes it back, unless the
//! worker has begun with it: `taken` tells.)
//!
//! Sleeping is Dekker's pattern: whoever wants to sleep says so, and then looks once more; whoever has news writes
//! them, and then looks whether the other sleeps. With all four sequentially consistent, at least one of them sees
//! the other. `tests/loom-turn` in the repository checks the interleavings.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// In `turn`: the worker has left.
pub(crate) const LEFT: u32 = u32::MAX;
/// In `turn`: the parent has hung up.
pub(crate) const CLOSED: u32 = u32::MAX - 1;
/// In `verdict`, on top of the turn: the worker leaves.
const LEAVES: u32 = 1 << 31;

/// How a worker sleeps, and is woken.
pub(crate) trait Futex {
    /// Sleeps while the word is `seen`, until woken; may return early. False when the time was up.
    fn wait(&self, word: &AtomicU32, seen: u32) -> bool;
    /// Wakes who sleeps on the word.
    fn wake(&self, word: &AtomicU32);
}

/// The words. Each side's are on a cache line of their own; nothing in them is trusted by the parent.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Turns {
    pub(crate) down: Down,
    pub(crate) up: Up,
    /// Not 0: the worker sleeps.
    worker_sleeps: Line<AtomicU32>,
}

#[repr(align(64))]
#[derive(Debug, Default)]
struct Line<T>(T);

/// What the parent writes (and the worker, when it leaves).
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(crate) struct Down {
    turn: AtomicU32,
    /// Not 0: the parent waits for the bell.
    parked: AtomicU32,
    /// The length of the job.
    pub(crate) length: AtomicU64,
    /// How many descriptors go with the job.
    pub(crate) descriptors: AtomicU32,
    /// The CPU that the parent waits for the bell on.
    pub(crate) cpu: AtomicU32,
}

/// What the worker writes.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(crate) struct Up {
    reply: AtomicU32,
    /// The turn the worker has begun with.
    taken: AtomicU32,
    verdict: AtomicU32,
    /// The kind of the answer.
    pub(crate) kind: AtomicU32,
    /// The length of the answer.
    pub(crate) length: AtomicU64,
    /// How many descriptors go with the answer.
    pub(crate) descriptors: AtomicU32,
    /// Not 0: others compute on the worker's CPU.
    pub(crate) contended: AtomicU32,
}

/// What a worker finds at its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Job(u32),
    Closed,
    /// It has left, as nothing came in time.
    Idle,
}

/// The turn after this one.
pub(crate) fn next(turn: u32) -> u32 {
    if turn >= LEAVES - 1 { 1 } else { turn + 1 }
}

/// The parent's side.
impl Turns {
    /// Hands over the job of turn `next`, which is in memory already. False when the worker has left.
    pub(crate) fn post(&self, last: u32, next: u32, futex: &impl Futex) -> bool {
        self.down.parked.store(0, Ordering::Relaxed);
        let posted = self.down.turn.compare_exchange(last, next, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        if posted {
            self.wake(futex);
        }
        posted
    }

    /// Tells the worker to leave, unless it has left or has a job.
    pub(crate) fn hang_up(&self, last: u32, futex: &impl Futex) {
        if self.down.turn.compare_exchange(last, CLOSED, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
            self.wake(futex);
        }
    }

    fn wake(&self, futex: &impl Futex) {
        if self.worker_sleeps.0.load(Ordering::SeqCst) != 0 {
            futex.wake(&self.down.turn);
        }
    }

    pub(crate) fn is_answered(&self, turn: u32) -> bool {
        self.up.reply.load(Ordering::Acquire) == turn
    }

    /// `None` until the worker has said whether it stays after this turn.
    pub(crate) fn stays(&self, turn: u32) -> Option<bool> {
        match self.up.verdict.load(Ordering::Acquire) {
            verdict if verdict == turn => Some(true),
            verdict if verdict == turn | LEAVES => Some(false),
            _ => None,
        }
    }

    /// True once the worker has begun with this turn.
    pub(crate) fn is_taken(&self, turn: u32) -> bool {
        self.up.taken.load(Ordering::Acquire) == turn
    }

    /// Asks for the bell. Look once more after it: what came before it may not ring.
    pub(crate) fn park(&self) {
        self.down.parked.store(1, Ordering::SeqCst);
    }

    /// [`is_answered`](Self::is_answered), in the order that sleeping needs.
    pub(crate) fn is_answered_parked(&self, turn: u32) -> bool {
        self.up.reply.load(Ordering::SeqCst) == turn
    }

    /// [`stays`](Self::stays), in the order that sleeping needs.
    pub(crate) fn stays_parked(&self, turn: u32) -> Option<bool> {
        let _ = self.up.verdict.load(Ordering::SeqCst);
        self.stays(turn)
    }
}

/// The worker's side.
impl Turns {
    /// What is there after turn `last`, if anything.
    pub(crate) fn look(&self, last: u32) -> Option<Found> {
        let turn = self.down.turn.load(Ordering::Acquire);
        if turn == last {
            return None;
        }
        Some(self.found(turn))
    }

    fn found(&self, turn: u32) -> Found {
        match turn {
            CLOSED => Found::Closed,
            LEFT => Found::Idle,
            turn => {
                self.up.taken.store(turn, Ordering::Release);
                Found::Job(turn)
            }
        }
    }

    /// Sleeps until something is there after turn `last`; leaves when the futex says that the time was up.
    pub(crate) fn sleep(&self, last: u32, futex: &impl Futex) -> Found {
        self.worker_sleeps.0.store(1, Ordering::SeqCst);
        let found = loop {
            let turn = self.down.turn.load(Ordering::SeqCst);
            if turn != last {
                break self.found(turn);
            }
            if !futex.wait(&self.down.turn, last) && self.leave(last) {
                break Found::Idle;
            }
        };
        self.worker_sleeps.0.store(0, Ordering::Relaxed);
        found
    }

    /// Leaves, unless there is a job.
    pub(crate) fn leave(&self, last: u32) -> bool {
        self.down.turn.compare_exchange(last, LEFT, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// The answer to a turn is in memory. True: ring the bell.
    #[must_use]
    pub(crate) fn reply(&self, turn: u32) -> bool {
        self.up.reply.store(turn, Ordering::SeqCst);
        self.wants_bell()
    }

    /// Whether the worker stays after a turn. True: ring the bell.
    #[must_use]
    pub(crate) fn tell(&self, turn: u32, stays: bool) -> bool {
        self.up.verdict.store(if stays { turn } else { turn | LEAVES }, Ordering::SeqCst);
        self.wants_bell()
    }

    fn wants_bell(&self) -> bool {
        self.down.parked.load(Ordering::SeqCst) != 0 && self.down.parked.swap(0, Ordering::SeqCst) != 0
    }
}

// The path is for the model, which has this file in another place.
#[cfg(all(test, not(loom), any(target_os = "linux", target_os = "android")))]
#[path = "turn/tests.rs"]
mod tests;
