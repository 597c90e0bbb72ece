//! The limiter's races, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-pool --test loom_limiter --release`.
//!
//! A lost wake-up shows as loom's "deadlock", a lost token as a wrong count at the end.
#![cfg(loom)]

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use offproc_pool::{Acquire, Limiter, Permit};

/// Counts how often it is woken.
#[derive(Clone)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(acquire: &mut Acquire, count: &Count) -> Option<Permit> {
    let waker = Waker::from(std::sync::Arc::new(count.clone()));
    match pin!(acquire).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}

/// A future that found no token, and waits.
fn queued(limiter: &Limiter, count: &Count) -> Acquire {
    let mut acquire = limiter.acquire();
    assert!(poll(&mut acquire, count).is_none());
    acquire
}

/// Explores with at most three preemptions (or `LOOM_MAX_PREEMPTIONS`), which keeps all models within a minute.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(body);
}

#[test]
fn one_token_is_never_held_twice_and_all_are_served() {
    fn call(limiter: &Limiter, running: &AtomicUsize) {
        let permit = block_on(limiter.acquire());
        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
        running.fetch_sub(1, Ordering::SeqCst);
        drop(permit);
    }
    model(|| {
        let limiter = Limiter::new(1);
        let running = Arc::new(AtomicUsize::new(0));
        let others = [(); 2].map(|()| {
            let (limiter, running) = (limiter.clone(), running.clone());
            thread::spawn(move || call(&limiter, &running))
        });
        call(&limiter, &running);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn a_release_during_the_first_poll_is_seen() {
    model(|| {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire().unwrap();
        let release = thread::spawn(move || drop(permit));
        drop(block_on(limiter.acquire()));
        release.join().unwrap();
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn a_cancelled_waiter_loses_no_token() {
    model(|| {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire().unwrap();
        let cancelled = queued(&limiter, &Count::new());
        let release = thread::spawn(move || drop(permit));
        drop(cancelled);
        release.join().unwrap();
        assert_eq!(limiter.borrowed_tokens(), 0);
        assert!(limiter.try_acquire().is_some());
    });
}

#[test]
fn a_cancelled_waiter_passes_its_token_on() {
    model(|| {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire().unwrap();
        let cancelled = queued(&limiter, &Count::new());
        let release = thread::spawn(move || drop(permit));
        let next = thread::spawn({
            let limiter = limiter.clone();
            move || drop(block_on(limiter.acquire()))
        });
        drop(cancelled);
        release.join().unwrap();
        next.join().unwrap();
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn two_cancelled_waiters_lose_no_token() {
    model(|| {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire().unwrap();
        let first = queued(&limiter, &Count::new());
        let second = queued(&limiter, &Count::new());
        let release = thread::spawn(move || drop(permit));
        let cancel = thread::spawn(move || drop(second));
        drop(first);
        release.join().unwrap();
        cancel.join().unwrap();
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn no_call_overtakes_a_waiter() {
    model(|| {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire().unwrap();
        let count = Count::new();
        let mut oldest = queued(&limiter, &count);
        let release = thread::spawn(move || drop(permit));
        // Before, while and after the token is handed over.
        assert!(limiter.try_acquire().is_none());
        let newcomer_count = Count::new();
        let mut newcomer = queued(&limiter, &newcomer_count);
        release.join().unwrap();
        assert_eq!(count.get(), 1);
        drop(poll(&mut oldest, &count).unwrap());
        assert!(poll(&mut newcomer, &newcomer_count).is_some());
    });
}

#[test]
fn no_call_overtakes_while_a_raise_hands_out() {
    model(|| {
        let limiter = Limiter::new(0);
        let counts = [(); 2].map(|()| Count::new());
        let waiters = counts.each_ref().map(|count| queued(&limiter, count));
        let raise = thread::spawn({
            let limiter = limiter.clone();
            move || limiter.set_total_tokens(2)
        });
        // Before, while and after the tokens are handed over, which opens the lock in between.
        assert!(limiter.try_acquire().is_none());
        raise.join().unwrap();
        assert_eq!(counts.each_ref().map(Count::get), [1, 1]);
        drop(waiters);
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn a_changed_waker_is_the_one_woken() {
    model(|| {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire().unwrap();
        let mut acquire = queued(&limiter, &Count::new());
        let release = thread::spawn(move || drop(permit));
        let latest = Count::new();
        let served = poll(&mut acquire, &latest).is_some();
        release.join().unwrap();
        assert!(served || latest.get() == 1);
    });
}

#[test]
fn raising_serves_two_waiters() {
    model(|| {
        let limiter = Limiter::new(0);
        let waiters = [(); 2].map(|()| {
            let limiter = limiter.clone();
            thread::spawn(move || drop(block_on(limiter.acquire())))
        });
        limiter.set_total_tokens(2);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn raising_and_a_release_serve_one_waiter_each() {
    model(|| {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire().unwrap();
        let counts = [(); 3].map(|()| Count::new());
        let waiters = counts.each_ref().map(|count| queued(&limiter, count));
        let release = thread::spawn(move || drop(permit));
        limiter.set_total_tokens(2);
        release.join().unwrap();
        assert_eq!(counts.each_ref().map(Count::get), [1, 1, 0]);
        assert_eq!(limiter.borrowed_tokens(), 2);
        drop(waiters);
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn lowering_holds_from_when_it_returns() {
    model(|| {
        let limiter = Limiter::new(2);
        let (one, other) = (limiter.try_acquire(), limiter.try_acquire());
        let count = Count::new();
        let mut acquire = queued(&limiter, &count);
        let release = thread::spawn(move || drop(one));
        limiter.set_total_tokens(1);
        release.join().unwrap();
        // Handed out before the total fell, or not until the other token is back as well.
        assert_eq!(limiter.borrowed_tokens(), 1 + count.get());
        drop(other);
        assert_eq!(limiter.borrowed_tokens(), 1);
        assert!(poll(&mut acquire, &count).is_some());
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}

#[test]
fn a_total_that_goes_up_and_down_strands_no_waiter() {
    model(|| {
        let limiter = Limiter::new(0);
        let raise = thread::spawn({
            let limiter = limiter.clone();
            move || limiter.set_total_tokens(1)
        });
        let wait = thread::spawn({
            let limiter = limiter.clone();
            move || drop(block_on(limiter.acquire()))
        });
        limiter.set_total_tokens(0);
        limiter.set_total_tokens(1);
        raise.join().unwrap();
        wait.join().unwrap();
        assert_eq!(limiter.borrowed_tokens(), 0);
    });
}
