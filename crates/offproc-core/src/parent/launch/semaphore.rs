//! An async semaphore: first come, first served.

use crate::wait_list::{WaitList, wake};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// A number of permits.
#[derive(Debug)]
pub(super) struct Semaphore {
    state: Mutex<State>,
    total: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: WaitList,
}

impl Semaphore {
    pub(super) const fn new(total: usize) -> Self {
        Self { state: Mutex::new(State { free: total, waiting: WaitList::new() }), total }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a permit, which [`release`](Self::release) gives back. A permit belongs to a waiter from the moment that
    /// it is handed over; dropping the future passes it on.
    pub(super) fn acquire(&self) -> Acquire<'_> {
        Acquire { semaphore: self, ticket: None }
    }

    /// Gives a permit back; if all are there already, drops it.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        let first = state.waiting.take_first();
        if first.is_none() {
            state.free = (state.free + 1).min(self.total);
        }
        drop(state);
        first.into_iter().for_each(wake);
    }

    #[cfg(test)]
    pub(super) fn is_full(&self) -> bool {
        self.lock().free == self.total
    }
}

#[derive(Debug)]
pub(super) struct Acquire<'a> {
    semaphore: &'a Semaphore,
    // The place in the queue. A waiter whose ticket is no longer in the list has been handed a permit.
    ticket: Option<u64>,
}

impl Future for Acquire<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.semaphore.lock();
        let is_mine = match self.ticket {
            Some(ticket) => !state.waiting.holds(ticket),
            // If there are free permits, there are no waiters.
            None if state.free > 0 => {
                state.free -= 1;
                true
            }
            None => false,
        };
        if is_mine {
            drop(state);
            self.ticket = None;
            return Poll::Ready(());
        }
        let stale = state.waiting.enter(&mut self.ticket, waker);
        drop(state);
        drop(stale);
        Poll::Pending
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let waker = self.semaphore.lock().waiting.leave(ticket);
        if waker.is_none() {
            self.semaphore.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::pin::pin;

    #[test]
    fn a_permit_goes_to_who_has_waited_longest_and_passes_on_from_who_is_dropped() {
        let semaphore = Semaphore::new(1);
        let all = || Box::pin(semaphore.acquire());
        let (mut first, mut second, mut third) = (all(), all(), all());
        block_on(async {
            assert!(poll_once(first.as_mut()).await.is_some());
            assert!(poll_once(second.as_mut()).await.is_none());
            assert!(poll_once(third.as_mut()).await.is_none());
            semaphore.release();
            assert!(poll_once(pin!(semaphore.acquire())).await.is_none(), "it is the second one's");
            drop(second);
            assert!(poll_once(third.as_mut()).await.is_some());
        });
        semaphore.release();
        semaphore.release();
        assert!(semaphore.is_full(), "one too many does not stay");
    }
}
