//! Tokens that bound how many calls run at once, first come, first served.

#[cfg(not(loom))]
mod abandoned;
#[cfg(not(loom))]
pub(crate) mod default;
#[cfg(not(loom))]
pub(crate) mod stuck;

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker, ready};

use crate::sync::{Arc, Mutex, MutexGuard, is_forked, wake};

/// A number of tokens that calls borrow while they run.
///
/// A clone is cheap and shares the tokens of the original. Waiters are served strictly in the order in which they began
/// to wait: a token that becomes free goes to the oldest of them, and no newcomer can overtake.
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

/// The whole state, under one lock. No waiter is woken or dropped under that lock: both may run the code of any task,
/// which may call this limiter.
struct State {
    total: usize,
    borrowed: usize,
    /// The waiters, oldest first. A ticket leaves the queue in two ways only: [`State::hand_out`] takes it when it
    /// gives its owner a token, or its owner takes it back. So a ticket that its owner does not find has a token.
    waiters: BTreeMap<u64, Waiter>,
    next_ticket: u64,
    #[cfg(not(loom))]
    abandoned: abandoned::AbandonedTokens,
}

/// One that waits for a token.
struct Waiter {
    waker: Waker,
    /// Dropped when it no longer waits, before it is woken.
    count: WaitingCount,
}

/// What counts a waiter, as long as it waits.
pub(crate) type WaitingCount = Option<Box<dyn Send + Sync>>;

impl Waiter {
    fn wake(self) {
        drop(self.count);
        wake(self.waker);
    }
}

impl State {
    /// Takes a token for a newcomer, unless all that are free are for others, who wait.
    fn take(&mut self) -> bool {
        let free = self.borrowed + self.waiters.len() < self.total;
        if free {
            self.borrowed += 1;
        }
        free
    }

    /// Gives a token to the oldest waiter, if there are both; the caller wakes it once the lock is released.
    fn hand_out(&mut self) -> Option<Waiter> {
        // The common case first: to ask an empty map costs more.
        if self.waiters.is_empty() || self.borrowed >= self.total {
            return None;
        }
        let (_ticket, waiter) = self.waiters.pop_first()?;
        self.borrowed += 1;
        Some(waiter)
    }
}

impl Limiter {
    /// Creates a limiter with `total` tokens.
    ///
    /// With zero, all calls wait until [`set_total_tokens`](Self::set_total_tokens) raises it.
    #[must_use]
    pub fn new(total: usize) -> Self {
        let state = State {
            total,
            borrowed: 0,
            waiters: BTreeMap::new(),
            next_ticket: 0,
            #[cfg(not(loom))]
            abandoned: abandoned::AbandonedTokens::default(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Returns how many tokens there are, borrowed or not.
    #[must_use]
    pub fn total_tokens(&self) -> usize {
        self.lock().total
    }

    /// Changes how many tokens there are.
    ///
    /// When it raises the number, it hands the new tokens to waiters, in their order, before it returns. When it lowers
    /// the number, it takes no token away, and hands none out until fewer than `total` are borrowed.
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

    /// Returns how many tokens are borrowed, including those handed to a waiter that has not been polled since.
    ///
    /// It can exceed [`total_tokens`](Self::total_tokens) for a while after that was lowered.
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

    /// Returns how many wait for a token: calls, and futures of [`acquire`](Self::acquire) that have been polled.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiters.len()
    }

    /// Borrows a token, waiting for one if need be.
    ///
    /// Its place in the queue counts from the first poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives its place in the queue up, and those behind it move up. A token that it was handed and
    /// had not returned yet goes to the next waiter. A new `acquire` queues at the end.
    ///
    /// A token belongs to a waiter from the moment it is handed over: a future that is kept but no longer polled
    /// holds it all the same.
    pub fn acquire(&self) -> Acquire {
        Acquire { limiter: Some(self.clone()), ticket: None }
    }

    /// Borrows a token if one is free and no other waits for it.
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

    /// The same for a drop. In a fork of the program, where a thread that is not in it may have locked the state for
    /// good, nothing waits for what would be returned: then `None`.
    fn lock_to_return(&self) -> Option<MutexGuard<'_, State>> {
        if is_forked() { self.state.try_lock().ok() } else { Some(self.lock()) }
    }

    /// Returns a token, to the oldest waiter if there is one.
    fn release(&self) {
        let Some(mut state) = self.lock_to_return() else { return };
        state.borrowed -= 1;
        self.hand_out_all(state);
    }

    /// Hands out tokens until there are none, or no waiters. Call it under the same lock that has made a token free.
    fn hand_out_all<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        while let Some(waiter) = state.hand_out() {
            // No newcomer overtakes while the lock is released: it takes no token that is for a waiter.
            drop(state);
            waiter.wake();
            state = self.lock();
        }
    }

    /// Takes a token, or a place in the queue, or checks whether the ticket has been served. A place in the queue takes
    /// `count`, in place of the one that it may have.
    fn poll_token(&self, ticket: &mut Option<u64>, waker: &Waker, count: &mut WaitingCount) -> Poll<()> {
        let mut state = self.lock();
        let Some(held) = *ticket else {
            if state.take() {
                return Poll::Ready(());
            }
            let new = state.next_ticket;
            let waker = waker.clone();
            state.waiters.insert(new, Waiter { waker, count: count.take() });
            state.next_ticket += 1;
            *ticket = Some(new);
            return Poll::Pending;
        };
        let Some(known) = state.waiters.get_mut(&held) else {
            return Poll::Ready(());
        };
        let stale_waker = (!known.waker.will_wake(waker)).then(|| mem::replace(&mut known.waker, waker.clone()));
        let stale_count = count.take().and_then(|count| known.count.replace(count));
        drop(state);
        drop((stale_waker, stale_count));
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

impl Acquire {
    /// As `poll`. While it waits, the queue has `count`, in place of an earlier one.
    pub(crate) fn poll_counted(&mut self, cx: &mut Context<'_>, count: &mut WaitingCount) -> Poll<Permit> {
        let limiter = self.limiter.as_ref().expect("polled after it resolved");
        ready!(limiter.poll_token(&mut self.ticket, cx.waker(), count));
        // The permit takes the limiter, so that `drop` has nothing left to return.
        let limiter = self.limiter.take().expect("it was there a moment ago");
        Poll::Ready(Permit { limiter })
    }
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        self.get_mut().poll_counted(cx, &mut None)
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let (Some(limiter), Some(ticket)) = (&self.limiter, self.ticket) else {
            return;
        };
        let Some(mut state) = limiter.lock_to_return() else { return };
        let waiter = state.waiters.remove(&ticket);
        drop(state);
        if waiter.is_none() {
            // It was handed a token, and not polled since: return that token.
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
