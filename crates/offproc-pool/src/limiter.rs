//! Tokens that bound how many calls run at once, first come, first served.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker, ready};

use crate::sync::{Arc, Mutex, MutexGuard};

/// A number of tokens that calls borrow while they run.
///
/// A clone is cheap and shares the tokens of the original. Waiters are served strictly in the order in which they
/// began to wait: a token that comes free is handed to the oldest of them, and no newcomer can take it on the way.
///
/// # Examples
///
/// ```
/// use offproc::Limiter;
///
/// # futures_lite::future::block_on(async {
/// let limiter = Limiter::new(2);
/// let permit = limiter.acquire().await;
/// assert_eq!(limiter.borrowed_tokens(), 1);
/// drop(permit);
/// assert_eq!(limiter.available_tokens(), 2);
/// # });
/// ```
#[derive(Clone)]
pub struct Limiter {
    state: Arc<Mutex<State>>,
}

/// Everything, under one lock that is never held while a waker is woken or dropped: either may run the code of any
/// task, which may come back to this limiter.
struct State {
    total: usize,
    borrowed: usize,
    /// Those who wait, oldest first. A ticket leaves the queue in two ways only: [`State::hand_out`] takes it when it
    /// gives its owner a token, or its owner takes it back. So a ticket that its owner does not find has a token.
    waiters: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

impl State {
    /// Takes a token for somebody who does not wait yet, unless there is none or others have waited longer.
    fn take(&mut self) -> bool {
        let free = self.borrowed < self.total && self.waiters.is_empty();
        if free {
            self.borrowed += 1;
        }
        free
    }

    /// Gives a token to the oldest waiter, if there are both; the caller wakes it once the lock is released.
    fn hand_out(&mut self) -> Option<Waker> {
        if self.borrowed >= self.total {
            return None;
        }
        let (_ticket, waker) = self.waiters.pop_first()?;
        self.borrowed += 1;
        Some(waker)
    }
}

impl Limiter {
    /// Creates a limiter with `total` tokens.
    ///
    /// With zero, nobody proceeds until [`set_total_tokens`](Self::set_total_tokens) raises it.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { state: Arc::new(Mutex::new(State { total, borrowed: 0, waiters: BTreeMap::new(), next_ticket: 0 })) }
    }

    /// Returns how many tokens there are, borrowed or not.
    #[must_use]
    pub fn total_tokens(&self) -> usize {
        self.lock().total
    }

    /// Changes how many tokens there are.
    ///
    /// Raised, it hands the new tokens to those who wait, in their order, before it returns. Lowered, it takes no
    /// token away: none is handed out until fewer than `total` are borrowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::Limiter;
    ///
    /// let limiter = Limiter::new(1);
    /// let permit = limiter.try_acquire();
    /// limiter.set_total_tokens(0);
    /// assert_eq!(limiter.borrowed_tokens(), 1);
    /// drop(permit);
    /// assert!(limiter.try_acquire().is_none());
    /// ```
    pub fn set_total_tokens(&self, total: usize) {
        let mut state = self.lock();
        state.total = total;
        self.hand_out_all(state);
    }

    /// Returns how many tokens are borrowed, those already handed to a waiter that has not been polled since included.
    ///
    /// It exceeds [`total_tokens`](Self::total_tokens) for a while after that was lowered.
    #[must_use]
    pub fn borrowed_tokens(&self) -> usize {
        self.lock().borrowed
    }

    /// Returns how many tokens are free: the total less those borrowed, never below zero.
    ///
    /// Another thread may have taken them by the time this returns; to use a token if there is one, call
    /// [`try_acquire`](Self::try_acquire).
    #[must_use]
    pub fn available_tokens(&self) -> usize {
        let state = self.lock();
        state.total.saturating_sub(state.borrowed)
    }

    /// Borrows a token, waiting for one if need be.
    ///
    /// Its place in the queue counts from the first poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives its place up, and those behind it move up. A token that it was handed and had not
    /// returned yet goes to the next waiter. To be cancelled and to start over is to queue at the end again.
    ///
    /// A token belongs to a waiter from the moment it is handed over: a future that is kept but no longer polled
    /// holds it all the same.
    pub fn acquire(&self) -> Acquire {
        Acquire { limiter: Some(self.clone()), ticket: None }
    }

    /// Borrows a token if one is free and nobody waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::Limiter;
    ///
    /// let limiter = Limiter::new(1);
    /// let permit = limiter.try_acquire();
    /// assert!(permit.is_some());
    /// assert!(limiter.try_acquire().is_none());
    /// ```
    #[must_use = "the token is returned at once unless the permit is kept"]
    pub fn try_acquire(&self) -> Option<Permit> {
        let taken = self.lock().take();
        taken.then(|| Permit { limiter: self.clone() })
    }

    /// Locks the state. The only foreign code under the lock is `Waker::clone`, which runs before anything is changed,
    /// so a poisoned state is a whole one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a token, to the oldest waiter if there is one.
    fn release(&self) {
        let mut state = self.lock();
        state.borrowed -= 1;
        self.hand_out_all(state);
    }

    /// Hands out tokens until there are none or nobody waits. Whoever makes a token free calls this under the same
    /// lock.
    fn hand_out_all<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        while let Some(waker) = state.hand_out() {
            // Nobody slips in while the lock is open: as long as anybody waits, newcomers queue. Should the waker
            // panic, the next token that comes free resumes the hand-out.
            drop(state);
            waker.wake();
            state = self.lock();
        }
    }

    /// Takes a token, or a place in the queue, or looks whether the ticket has been served.
    fn poll_token(&self, ticket: &mut Option<u64>, waker: &Waker) -> Poll<()> {
        let mut state = self.lock();
        let Some(held) = *ticket else {
            if state.take() {
                return Poll::Ready(());
            }
            let new = state.next_ticket;
            state.waiters.insert(new, waker.clone());
            state.next_ticket += 1;
            *ticket = Some(new);
            return Poll::Pending;
        };
        let Some(known) = state.waiters.get_mut(&held) else {
            return Poll::Ready(());
        };
        if !known.will_wake(waker) {
            let stale = mem::replace(known, waker.clone());
            drop(state);
            drop(stale);
        }
        Poll::Pending
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, borrowed, waiting) = {
            let state = self.lock();
            (state.total, state.borrowed, state.waiters.len())
        };
        f.debug_struct("Limiter")
            .field("total_tokens", &total)
            .field("borrowed_tokens", &borrowed)
            .field("waiting", &waiting)
            .finish()
    }
}

/// The future of [`Limiter::acquire`]: resolves to a [`Permit`].
///
/// # Panics
///
/// When polled after it has resolved.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Acquire {
    /// `None` once the permit has it.
    limiter: Option<Limiter>,
    /// The place in the queue, from the first poll that found no token.
    ticket: Option<u64>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        let this = self.get_mut();
        let limiter = this.limiter.as_ref().expect("polled after it resolved");
        ready!(limiter.poll_token(&mut this.ticket, cx.waker()));
        // The permit takes the limiter over, so that `drop` has nothing left to return.
        let limiter = this.limiter.take().expect("it was there a moment ago");
        Poll::Ready(Permit { limiter })
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let (Some(limiter), Some(ticket)) = (&self.limiter, self.ticket) else {
            return;
        };
        let mut state = limiter.lock();
        let waker = state.waiters.remove(&ticket);
        drop(state);
        if waker.is_none() {
            // The token arrived, and this future was not polled since: it must not end here.
            limiter.release();
        }
    }
}

/// A borrowed token. Dropping it returns the token.
#[derive(Debug)]
#[must_use = "the token is returned at once unless the permit is kept"]
pub struct Permit {
    limiter: Limiter,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.release();
    }
}
