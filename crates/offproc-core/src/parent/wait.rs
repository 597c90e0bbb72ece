//! Blocking the calling thread until a future is ready.
//!
//! The runtime that the thread belongs to may have no other thread, and so not run while this one blocks. So futures
//! that are polled here wait on offproc's own reactor and timer, whatever runtime is current or pinned.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

thread_local! {
    // Without a destructor, so that it exists as long as the thread.
    static POLLS: Cell<bool> = const { Cell::new(false) };
}

/// True while a future that blocks this thread is polled.
pub(super) fn polls() -> bool {
    POLLS.try_with(Cell::get).unwrap_or(false)
}

/// Blocks the calling thread until the future is ready, on offproc's own reactor and timer.
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(Arc::clone(&parker));
    let mut cx = Context::from_waker(&waker);
    loop {
        let polling = Polling::begin();
        let polled = future.as_mut().poll(&mut cx);
        drop(polling);
        if let Poll::Ready(output) = polled {
            return output;
        }
        parker.park();
    }
}

/// Marks that a future that blocks this thread is being polled, and restores the mark also after a panic. They nest.
struct Polling(bool);

impl Polling {
    fn begin() -> Self {
        Self(POLLS.try_with(|polls| polls.replace(true)).unwrap_or(false))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        let _ = POLLS.try_with(|polls| polls.set(self.0));
    }
}

/// Without a thread-local of its own: a thread that ends may have none left, and may still wait for a call.
#[derive(Default)]
struct Parker {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Parker {
    fn park(&self) {
        let mut is_woken = self.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !std::mem::take(&mut *is_woken) {
            is_woken = self.woken.wait(is_woken).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.is_woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::panic::catch_unwind;

    #[test]
    fn nests_and_ends_with_its_poll() {
        let seen = wait(async {
            let outer = polls();
            wait(async { assert!(polls()) });
            (outer, polls())
        });
        assert_eq!((seen, polls()), ((true, true), false));
        assert!(catch_unwind(|| wait(poll_fn::<(), _>(|_| panic!("in a poll")))).is_err());
        assert!(!polls(), "also after a panic");
    }

    #[test]
    fn is_woken_from_within_the_poll_and_from_another_thread() {
        let mut polled = 0;
        wait(poll_fn(|cx| {
            polled += 1;
            match polled {
                1 => cx.waker().wake_by_ref(),
                2 => {
                    let waker = cx.waker().clone();
                    std::thread::spawn(move || waker.wake());
                }
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        }));
        assert_eq!(polled, 3);
    }
}
