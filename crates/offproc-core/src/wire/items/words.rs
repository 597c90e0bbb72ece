//! The words in shared memory by which the two ends of an item channel hand over items without a system call, and wake
//! each other only when the other end has said that it sleeps.
//!
//! The sender writes items into a ring and then publishes how far it has written, `tail`; the receiver reads them and
//! then publishes how far it has read, `head`. Both count bytes from the beginning of the channel, and never go back.
//! The channel's capacity counts items: `sent` and `received`.
//!
//! Sleeping is Dekker's pattern, as in `wire/shm/slot.rs`: the end that wants to sleep says so in its state, and then
//! looks once more; the end that has news publishes it, and then looks at the other's state. With all four steps
//! sequentially consistent, at least one end sees the other's write. `tests/models/items` checks the interleavings.
//!
//! Each end trusts none of the other's words: it reads a word once, and checks it.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use std::io;

/// The states of an end.
const AWAKE: u32 = 0;
/// It waits for its bell, or is about to.
const SLEEPS: u32 = 1;
/// It was dropped.
const GONE: u32 = 2;

/// Wakes the other end.
pub(crate) trait Bell {
    fn ring(&self);
}

/// The words, each end's on cache lines of their own.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) sender: Progress,
    pub(crate) receiver: Progress,
    sender_state: State,
    receiver_state: State,
}

/// How far an end has come.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// In bytes.
    position: AtomicU64,
    /// In items.
    count: AtomicU64,
    /// In which ring it is, for the process that the end moves to.
    ring: AtomicU32,
}

#[repr(C, align(64))]
#[derive(Debug, Default)]
struct State(AtomicU32);

/// A position: in bytes, in items, and the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) bytes: u64,
    pub(crate) items: u64,
    pub(crate) ring: u32,
}

impl Position {
    /// Of an end that has moved here: the other end could have written to it, and no end comes so far.
    pub(crate) fn checked(self) -> io::Result<Self> {
        const MOST: u64 = 1 << 62;
        if self.bytes > MOST || self.items > MOST || self.bytes % 8 != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its memory has no valid position"));
        }
        Ok(self)
    }
}

/// The other end was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Progress {
    /// Of the end itself, which has just moved to this process.
    pub(crate) fn load(&self) -> Position {
        Position {
            bytes: self.position.load(Ordering::Acquire),
            items: self.count.load(Ordering::Acquire),
            ring: self.ring.load(Ordering::Acquire),
        }
    }

    /// How many bytes the other end has written or read.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    /// How many items the other end has sent or received. In the order that sleeping needs.
    #[inline]
    pub(crate) fn items(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// What both of them mean comes before.
    #[inline]
    fn publish(&self, position: Position) {
        self.position.store(position.bytes, Ordering::Release);
        self.ring.store(position.ring, Ordering::Relaxed);
        self.count.store(position.items, Ordering::SeqCst);
    }
}

impl State {
    /// The other end of this one has news.
    #[inline]
    fn wake(&self, bell: &impl Bell) -> Result<(), Gone> {
        match self.0.load(Ordering::SeqCst) {
            AWAKE => Ok(()),
            GONE => Err(Gone),
            _ => {
                if self.0.compare_exchange(SLEEPS, AWAKE, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                    bell.ring();
                }
                Ok(())
            }
        }
    }

    fn is_gone(&self) -> bool {
        self.0.load(Ordering::SeqCst) == GONE
    }
}

impl Words {
    /// Both ends begin in this ring.
    pub(crate) fn begin(&self, ring: u32) {
        self.sender.ring.store(ring, Ordering::Relaxed);
        self.receiver.ring.store(ring, Ordering::Relaxed);
    }
}

/// The sender's side.
impl Words {
    /// Publishes items, which are in the ring already.
    #[inline]
    pub(crate) fn publish_sent(&self, position: Position, bell: &impl Bell) -> Result<(), Gone> {
        self.sender.publish(position);
        self.receiver_state.wake(bell)
    }

    /// Asks for the bell. Look once more after this: what was received before it does not ring.
    pub(crate) fn sender_sleeps(&self) {
        self.sender_state.0.store(SLEEPS, Ordering::SeqCst);
    }

    pub(crate) fn sender_wakes(&self) {
        self.sender_state.0.store(AWAKE, Ordering::Relaxed);
    }

    pub(crate) fn end_sender(&self) {
        self.sender_state.0.store(GONE, Ordering::SeqCst);
    }

    pub(crate) fn is_receiver_gone(&self) -> bool {
        self.receiver_state.is_gone()
    }
}

/// The receiver's side.
impl Words {
    /// Publishes that items were read: their room is the sender's again.
    #[inline]
    pub(crate) fn publish_received(&self, position: Position, bell: &impl Bell) {
        self.receiver.publish(position);
        // A sender that is gone needs no room.
        let _ = self.sender_state.wake(bell);
    }

    /// Asks for the bell. Look once more after this: what was sent before it does not ring.
    pub(crate) fn receiver_sleeps(&self) {
        self.receiver_state.0.store(SLEEPS, Ordering::SeqCst);
    }

    pub(crate) fn receiver_wakes(&self) {
        self.receiver_state.0.store(AWAKE, Ordering::Relaxed);
    }

    pub(crate) fn end_receiver(&self) {
        self.receiver_state.0.store(GONE, Ordering::SeqCst);
    }

    /// Look for items once more after this.
    pub(crate) fn is_sender_gone(&self) -> bool {
        self.sender_state.is_gone()
    }
}
