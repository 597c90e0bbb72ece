//! What a limiter promises, one behaviour a test. `loom_limiter.rs` has the races.
#![cfg(not(loom))]

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_lite::future::{block_on, or, yield_now};
use offproc_pool::{Acquire, Limiter, Permit, current_default_worker_limiter};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll_with(acquire: &mut Acquire, waker: &Waker) -> Option<Permit> {
    match pin!(acquire).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}

/// An `Acquire` polled by hand, and how often it was woken.
struct Waiter {
    acquire: Acquire,
    woken: Arc<Count>,
}

impl Waiter {
    fn new(limiter: &Limiter) -> Self {
        Self { acquire: limiter.acquire(), woken: Arc::default() }
    }

    /// One that found no token, and waits.
    fn queued(limiter: &Limiter) -> Self {
        let mut waiter = Self::new(limiter);
        assert!(waiter.poll().is_none());
        waiter
    }

    fn poll(&mut self) -> Option<Permit> {
        poll_with(&mut self.acquire, &Waker::from(self.woken.clone()))
    }
}

/// Runs `body` on a thread of its own, so that a self-deadlock fails the test instead of hanging it.
fn without_deadlock(body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        body();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(10)).expect("a waker found the limiter locked");
}

#[test]
fn counters_follow_the_permits() {
    let limiter = Limiter::new(2);
    let first = block_on(limiter.acquire());
    let second = block_on(limiter.clone().acquire());
    assert_eq!(limiter.total_tokens(), 2);
    assert_eq!(limiter.borrowed_tokens(), 2);
    assert_eq!(limiter.available_tokens(), 0);

    drop(first);
    assert_eq!(limiter.borrowed_tokens(), 1);
    assert_eq!(limiter.available_tokens(), 1);
    drop(second);
    assert_eq!(limiter.borrowed_tokens(), 0);
}

#[test]
fn nothing_is_taken_before_the_first_poll() {
    let limiter = Limiter::new(1);
    let acquire = limiter.acquire();
    assert_eq!(limiter.borrowed_tokens(), 0);
    drop(acquire);
    assert_eq!(limiter.available_tokens(), 1);
}

#[test]
fn a_resolved_future_leaves_the_token_to_its_permit() {
    let limiter = Limiter::new(1);
    let mut waiter = Waiter::new(&limiter);
    let permit = waiter.poll().unwrap();
    drop(waiter);
    assert_eq!(limiter.borrowed_tokens(), 1);
    drop(permit);
    assert_eq!(limiter.borrowed_tokens(), 0);
}

#[test]
fn a_future_served_after_a_wait_leaves_the_token_to_its_permit() {
    let limiter = Limiter::new(0);
    let mut waiter = Waiter::queued(&limiter);
    limiter.set_total_tokens(1);
    let permit = waiter.poll().unwrap();
    drop(waiter);
    assert_eq!(limiter.borrowed_tokens(), 1);
    drop(permit);
    assert_eq!(limiter.borrowed_tokens(), 0);
}

#[test]
fn waiters_are_served_in_the_order_they_came() {
    let limiter = Limiter::new(1);
    let mut permit = limiter.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..5).map(|_| Waiter::queued(&limiter)).collect();

    for turn in 0..waiters.len() {
        drop(permit);
        let woken: Vec<_> = waiters.iter().map(|waiter| waiter.woken.get()).collect();
        let expected: Vec<_> = (0..5).map(|i| usize::from(i <= turn)).collect();
        assert_eq!(woken, expected);
        // The others get nothing, however early they poll.
        for waiter in &mut waiters[turn + 1..] {
            assert!(waiter.poll().is_none());
        }
        permit = waiters[turn].poll().unwrap();
    }
}

#[test]
fn a_newcomer_does_not_take_a_token_on_its_way() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire().unwrap();
    let mut oldest = Waiter::queued(&limiter);

    drop(permit);
    let mut newcomer = Waiter::queued(&limiter);
    assert!(limiter.try_acquire().is_none());

    drop(oldest.poll().unwrap());
    assert!(newcomer.poll().is_some());
}

/// Tries for a token, and queues for one, in the middle of the hand-out that wakes it.
struct Newcomer {
    limiter: Limiter,
    took: Mutex<Option<Permit>>,
    queued: Mutex<Option<Waiter>>,
}

impl Newcomer {
    /// Comes when the first of two waiters is woken, as there are `total` tokens instead of none. All that it takes is
    /// kept in it, and the waiters come back.
    fn during_a_raise_to(total: usize) -> (Arc<Self>, Acquire, Waiter) {
        let limiter = Limiter::new(0);
        let newcomer = Arc::new(Self { limiter: limiter.clone(), took: Mutex::default(), queued: Mutex::default() });
        let mut first = limiter.acquire();
        assert!(poll_with(&mut first, &Waker::from(newcomer.clone())).is_none());
        let second = Waiter::queued(&limiter);
        limiter.set_total_tokens(total);
        (newcomer, first, second)
    }
}

impl Wake for Newcomer {
    fn wake(self: Arc<Self>) {
        *self.took.lock().unwrap() = self.limiter.try_acquire();
        *self.queued.lock().unwrap() = Some(Waiter::queued(&self.limiter));
    }
}

#[test]
fn a_newcomer_does_not_slip_in_while_a_raise_hands_out() {
    without_deadlock(|| {
        let (newcomer, _first, mut second) = Newcomer::during_a_raise_to(2);
        assert!(newcomer.took.lock().unwrap().is_none());
        let mut last = newcomer.queued.lock().unwrap().take().unwrap();
        assert!(last.poll().is_none());
        assert!(second.poll().is_some());
        assert!(last.poll().is_some());
    });
}

#[test]
fn a_newcomer_takes_a_token_that_is_for_no_waiter() {
    without_deadlock(|| {
        let (newcomer, first, second) = Newcomer::during_a_raise_to(3);
        let took = newcomer.took.lock().unwrap().take();
        assert!(took.is_some(), "two tokens are for the waiters, and the third for it");
        let mut last = newcomer.queued.lock().unwrap().take().unwrap();
        assert!(last.poll().is_none());
        drop((first, second, took));
        assert!(last.poll().is_some());
    });
}

#[test]
fn try_acquire_takes_only_a_free_token() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire().unwrap();
    assert!(limiter.try_acquire().is_none());
    drop(permit);
    assert!(limiter.try_acquire().is_some());
}

#[test]
fn zero_tokens_hold_everybody_until_raised() {
    let limiter = Limiter::new(0);
    assert!(limiter.try_acquire().is_none());
    let mut waiter = Waiter::queued(&limiter);
    assert_eq!(limiter.available_tokens(), 0);

    limiter.set_total_tokens(1);
    assert!(waiter.poll().is_some());
}

#[test]
fn raising_wakes_as_many_as_there_are_new_tokens() {
    let limiter = Limiter::new(0);
    let mut waiters: Vec<_> = (0..4).map(|_| Waiter::queued(&limiter)).collect();

    limiter.set_total_tokens(3);
    let woken: Vec<_> = waiters.iter().map(|waiter| waiter.woken.get()).collect();
    assert_eq!(woken, [1, 1, 1, 0]);
    assert_eq!(limiter.borrowed_tokens(), 3);
    let permits: Vec<_> = waiters.iter_mut().map(Waiter::poll).collect();
    assert_eq!(permits.iter().flatten().count(), 3);
}

#[test]
fn lowering_takes_no_token_away_and_stops_the_hand_outs() {
    let limiter = Limiter::new(3);
    let mut permits: Vec<_> = (0..3).map(|_| limiter.try_acquire().unwrap()).collect();
    let mut waiter = Waiter::queued(&limiter);

    limiter.set_total_tokens(1);
    assert_eq!(limiter.borrowed_tokens(), 3);
    assert_eq!(limiter.available_tokens(), 0);
    for left in [2, 1] {
        permits.pop();
        assert!(waiter.poll().is_none());
        assert_eq!(limiter.borrowed_tokens(), left);
    }

    permits.pop();
    assert_eq!(waiter.woken.get(), 1);
    assert!(waiter.poll().is_some());
}

#[test]
fn dropping_a_waiter_moves_the_next_one_up() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire().unwrap();
    let cancelled = Waiter::queued(&limiter);
    let woken = cancelled.woken.clone();
    let mut next = Waiter::queued(&limiter);

    drop(cancelled);
    assert_eq!(limiter.borrowed_tokens(), 1);
    assert_eq!(next.woken.get(), 0);
    drop(permit);
    assert_eq!(woken.get(), 0);
    assert!(next.poll().is_some());
}

#[test]
fn dropping_a_served_waiter_passes_its_token_on() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire().unwrap();
    let served = Waiter::queued(&limiter);
    let mut next = Waiter::queued(&limiter);

    drop(permit);
    assert_eq!(served.woken.get(), 1);
    drop(served);
    assert_eq!(next.woken.get(), 1);
    assert!(next.poll().is_some());
}

#[test]
fn dropping_the_last_served_waiter_returns_its_token() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire().unwrap();
    let served = Waiter::queued(&limiter);
    drop(permit);
    drop(served);
    assert_eq!(limiter.borrowed_tokens(), 0);
    assert!(limiter.try_acquire().is_some());
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let limiter = Limiter::new(0);
    let mut waiter = Waiter::queued(&limiter);
    let former = std::mem::take(&mut waiter.woken);
    assert!(waiter.poll().is_none());

    limiter.set_total_tokens(1);
    assert_eq!(former.get(), 0);
    assert_eq!(waiter.woken.get(), 1);
}

/// A task that ends as soon as it is woken.
struct EndsWhenWoken(Mutex<Option<Acquire>>);

impl Wake for EndsWhenWoken {
    fn wake(self: Arc<Self>) {
        let acquire = self.0.lock().unwrap().take();
        drop(acquire);
    }
}

#[test]
fn waking_a_task_may_end_it() {
    without_deadlock(|| {
        let limiter = Limiter::new(0);
        let task = Arc::new(EndsWhenWoken(Mutex::new(None)));
        let mut acquire = limiter.acquire();
        assert!(poll_with(&mut acquire, &Waker::from(task.clone())).is_none());
        *task.0.lock().unwrap() = Some(acquire);

        limiter.set_total_tokens(1);
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker's own failure");
    }
}

#[test]
fn a_panicking_waker_delays_no_other_waiter() {
    let limiter = Limiter::new(0);
    let mut first = limiter.acquire();
    assert!(poll_with(&mut first, &Waker::from(Arc::new(Panics))).is_none());
    let mut second = Waiter::queued(&limiter);

    limiter.set_total_tokens(2);
    assert!(second.poll().is_some(), "woken after the waker that panics");
    assert_eq!(limiter.available_tokens(), 1, "the first has a token that waits for its poll");
    drop(first);
    assert_eq!(limiter.available_tokens(), 2);
}

/// A task that dies with its last waker, and with it a waiting `Acquire`.
struct EndsWithItsWaker(#[expect(dead_code, reason = "held for its drop")] Acquire);

impl Wake for EndsWithItsWaker {
    fn wake(self: Arc<Self>) {}
}

/// A waiter whose waker, owned by the queue alone, is the end of another waiter.
fn waiting_with_the_last_waker(limiter: &Limiter) -> Waiter {
    let other = Waiter::queued(limiter).acquire;
    let mut waiter = Waiter::new(limiter);
    let waker = Waker::from(Arc::new(EndsWithItsWaker(other)));
    assert!(poll_with(&mut waiter.acquire, &waker).is_none());
    waiter
}

#[test]
fn replacing_the_last_waker_of_a_task_may_end_it() {
    without_deadlock(|| {
        let limiter = Limiter::new(0);
        let mut waiter = waiting_with_the_last_waker(&limiter);
        assert!(waiter.poll().is_none());
        limiter.set_total_tokens(1);
        assert!(waiter.poll().is_some());
    });
}

#[test]
fn cancelling_may_end_the_task_of_the_last_waker() {
    without_deadlock(|| {
        let limiter = Limiter::new(0);
        drop(waiting_with_the_last_waker(&limiter));
        limiter.set_total_tokens(1);
        assert_eq!(limiter.available_tokens(), 1);
    });
}

#[test]
fn threads_never_exceed_the_total_and_all_finish() {
    const TOTAL: usize = 3;
    let limiter = Limiter::new(TOTAL);
    let running = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let permit = block_on(limiter.acquire());
                    assert!(running.fetch_add(1, Ordering::SeqCst) < TOTAL);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                    finished.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(finished.into_inner(), 8 * 500);
    assert_eq!(limiter.borrowed_tokens(), 0);
}

#[test]
fn cancellation_and_changing_totals_lose_no_token() {
    let limiter = Limiter::new(2);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    // Given up at the second poll: before, while or after a token is handed over.
                    let given_up = async {
                        yield_now().await;
                        None
                    };
                    block_on(or(async { Some(limiter.acquire().await) }, given_up));
                    drop(block_on(limiter.acquire()));
                }
            });
        }
        scope.spawn(|| {
            for total in (0..3).cycle().take(1500) {
                limiter.set_total_tokens(total);
                thread::yield_now();
            }
        });
    });
    assert_eq!(limiter.borrowed_tokens(), 0);
    assert_eq!(limiter.available_tokens(), 2);
    assert!(limiter.try_acquire().is_some());
}

#[test]
fn a_permit_outlives_the_other_handles() {
    let permit = {
        let limiter = Limiter::new(1);
        limiter.try_acquire().unwrap()
    };
    thread::spawn(move || drop(permit)).join().unwrap();
}

#[test]
fn the_types_cross_threads_and_print() {
    fn owned<T: Send + Sync + Unpin + std::fmt::Debug + 'static>(_: &T) {}
    let limiter = Limiter::new(1);
    let acquire = limiter.acquire();
    let permit = limiter.try_acquire().unwrap();
    owned(&limiter);
    owned(&acquire);
    owned(&permit);
    assert_eq!(format!("{limiter:?}"), "Limiter { total_tokens: 1, borrowed_tokens: 1, waiting: 0 }");
}

#[test]
fn the_default_limiter_is_one_for_the_process() {
    let cpus = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limiter = current_default_worker_limiter();
    assert_eq!(limiter.total_tokens(), cpus);
    limiter.set_total_tokens(cpus + 1);
    assert_eq!(current_default_worker_limiter().total_tokens(), cpus + 1);
}
