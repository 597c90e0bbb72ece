//! offproc's own timers, which the background thread wakes.
//!
//! They use the wall clock, as the work of other processes does, and fire whatever the state of the caller's runtime:
//! it may have no timers, a paused clock, have ended, or be blocked by the very call that waits. Setting a timer and
//! cancelling it costs no wake-up: this wakes the thread only for a timer that is due before all others.

use crate::wait_list::wake_all;
use async_io::Timer;
use atomic_waker::AtomicWaker;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

static TIMERS: Mutex<Timers> = Mutex::new(Timers { set: BTreeMap::new(), last: 0, next_look: None });

/// The background thread, while it waits for the next timer.
static DRIVER: AtomicWaker = AtomicWaker::new();

struct Timers {
    set: BTreeMap<(Instant, u64), Waker>,
    last: u64,
    /// When the background thread checks again by itself.
    next_look: Option<Instant>,
}

fn lock() -> MutexGuard<'static, Timers> {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Timers {
    /// The wakers of the timers that are due; if there are none, sets when the next one is.
    fn take_due(&mut self, now: Instant) -> Vec<Waker> {
        let later = self.set.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.set, later);
        self.next_look = if due.is_empty() { self.set.keys().next().map(|key| key.0) } else { Some(now) };
        due.into_values().collect()
    }
}

/// A future that is ready after this time; never, if the clock does not reach so far. The background thread wakes it,
/// if that runs; polled after its time, it is ready in any case.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    Sleep { deadline: Instant::now().checked_add(duration), key: None }
}

/// See `sleep`.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    deadline: Option<Instant>,
    key: Option<(Instant, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if Instant::now() >= deadline {
            self.take_back();
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let mut timers = lock();
        let key = *self.key.get_or_insert_with(|| {
            timers.last += 1;
            (deadline, timers.last)
        });
        let stale = timers.set.insert(key, waker);
        let is_sooner = timers.next_look.is_none_or(|next| deadline < next);
        if is_sooner {
            timers.next_look = Some(deadline);
        }
        drop(timers);
        drop(stale);
        if is_sooner {
            // It is offproc's own waker, and only schedules a task.
            DRIVER.wake();
        }
        Poll::Pending
    }
}

impl Sleep {
    fn take_back(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = lock().set.remove(&key);
            drop(waker);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// Wakes the timers, on the background thread and for as long as that runs.
pub(super) async fn drive() {
    let mut alarm = Timer::never();
    poll_fn(|cx| {
        DRIVER.register(cx.waker());
        loop {
            let (due, next) = {
                let mut timers = lock();
                let due = timers.take_due(Instant::now());
                (due, timers.next_look)
            };
            if !due.is_empty() {
                wake_all(due);
                continue;
            }
            let Some(next) = next else { return Poll::<()>::Pending };
            alarm.set_at(next);
            if Pin::new(&mut alarm).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, or};

    #[test]
    fn ring_in_their_order_and_not_before_their_time() {
        crate::parent::background::ensure().unwrap();
        let start = Instant::now();
        let (long, short) = (Duration::from_secs(3600), Duration::from_millis(20));
        let first = block_on(or(
            async {
                sleep(long).await;
                long
            },
            async {
                sleep(short).await;
                short
            },
        ));
        assert_eq!(first, short);
        assert!(start.elapsed() >= short);
        let mut never = std::pin::pin!(sleep(Duration::MAX));
        assert!(block_on(futures_lite::future::poll_once(never.as_mut())).is_none());
    }

    #[test]
    fn that_are_taken_back_leave_nothing() {
        let mut timer = Box::pin(sleep(Duration::from_secs(12_345)));
        assert!(block_on(futures_lite::future::poll_once(timer.as_mut())).is_none());
        let key = timer.key.unwrap();
        assert!(lock().set.contains_key(&key));
        drop(timer);
        assert!(!lock().set.contains_key(&key));
    }
}
