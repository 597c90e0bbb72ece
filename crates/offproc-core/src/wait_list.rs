//! The wakers of tasks that wait for a change, in the order of their first polls.
//!
//! A waker is foreign code: it may poll its task at once, drop calls, close contexts, or panic. So a list is part of
//! the state that changes, under that state's lock; take wakers out under the lock, and wake them after it is released.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakers, each under a ticket.
#[derive(Debug, Default)]
pub struct WaitList {
    wakers: BTreeMap<u64, Waker>,
    last: u64,
}

impl WaitList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { wakers: BTreeMap::new(), last: 0 }
    }

    /// Enters or replaces the waker of a ticket; the first call makes the ticket. Drop the waker that comes back after
    /// the lock is released.
    #[must_use]
    pub fn enter(&mut self, ticket: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.last += 1;
            self.last
        });
        self.wakers.insert(ticket, waker)
    }

    /// Removes a ticket's waker. `None` if it was taken already.
    pub fn leave(&mut self, ticket: u64) -> Option<Waker> {
        self.wakers.remove(&ticket)
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// True until the waker of a ticket is taken.
    #[must_use]
    pub fn holds(&self, ticket: u64) -> bool {
        self.wakers.contains_key(&ticket)
    }

    /// The waker that has waited longest.
    pub fn take_first(&mut self) -> Option<Waker> {
        self.wakers.pop_first().map(|(_, waker)| waker)
    }

    /// All wakers.
    #[must_use]
    pub fn take_all(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers).into_values().collect()
    }
}

/// Wakes a task, and ignores a panic of its waker.
pub fn wake(waker: Waker) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        // Its drop is foreign code, too.
        std::mem::forget(panic);
    }
}

/// Wakes all of them.
pub fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(wake);
}
