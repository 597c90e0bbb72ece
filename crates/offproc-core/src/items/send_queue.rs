//! The tasks and threads that wait to send on one end: one at a time, in the order in which they came.

use std::collections::VecDeque;
use std::task::Waker;

/// Those that wait, each under a ticket. The first one waits for the bell, the others for their turn.
///
/// A waker is foreign code: wake and drop those that come from here without a lock.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    waiting: VecDeque<(u64, Waker)>,
    last: u64,
}

impl SendQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether it is the turn of this one, which may be new.
    pub(super) fn is_first(&self, ticket: Option<u64>) -> bool {
        self.waiting.front().is_none_or(|(first, _)| Some(*first) == ticket)
    }

    /// It waits, and is woken by this waker. Returns the one before.
    #[must_use]
    pub(super) fn enter(&mut self, ticket: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        if let Some((_, place)) = self.waiting.iter_mut().find(|(other, _)| Some(*other) == *ticket) {
            return Some(std::mem::replace(place, waker));
        }
        self.last += 1;
        *ticket = Some(self.last);
        self.waiting.push_back((self.last, waker));
        None
    }

    /// It no longer waits. Returns its own waker, and that of the one whose turn it is now.
    #[must_use]
    pub(super) fn leave(&mut self, ticket: u64) -> (Option<Waker>, Option<Waker>) {
        let was_first = self.is_first(Some(ticket));
        let place = self.waiting.iter().position(|(other, _)| *other == ticket);
        let own = place.and_then(|place| self.waiting.remove(place)).map(|(_, waker)| waker);
        let next = self.waiting.front().filter(|_| was_first && own.is_some()).map(|(_, waker)| waker.clone());
        (own, next)
    }
}
