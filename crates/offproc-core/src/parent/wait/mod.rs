//! Blocking the calling thread until a future is ready.
//!
//! The runtime that the thread belongs to may have no other thread, and so not run while this one blocks. So the thread
//! itself waits for what is polled here, whatever runtime is current or pinned, with offproc's own timer.

mod calling_thread;

use super::runtime::{AsyncIo, Runtime, replace_current};
use calling_thread::{CallingThread, Entered, Sleeper};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Blocks the calling thread until the future is ready.
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let sleeper = Sleeper::get();
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut cx = Context::from_waker(&waker);
    loop {
        let polling = Polling::begin(&sleeper, &waker);
        let polled = future.as_mut().poll(&mut cx);
        drop(polling);
        if let Poll::Ready(output) = polled {
            sleeper.give_back();
            return output;
        }
        sleeper.sleep();
    }
}

/// While a future that blocks this thread is polled: its runtime. They nest.
struct Polling {
    before: Option<&'static dyn Runtime>,
    _entered: Entered,
}

impl Polling {
    fn begin(sleeper: &Arc<Sleeper>, waker: &Waker) -> Self {
        let entered = Entered::new(sleeper, waker);
        let runtime: &dyn Runtime = if CallingThread::is_there() { &CallingThread } else { &AsyncIo };
        Self { before: replace_current(Some(runtime)), _entered: entered }
    }
}

/// Also after a panic.
impl Drop for Polling {
    fn drop(&mut self) {
        replace_current(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parent::runtime::{RuntimeId, RuntimeSelector};
    use std::future::poll_fn;
    use std::panic::catch_unwind;

    #[test]
    fn nests_and_ends_with_its_poll() {
        let current = || RuntimeSelector::fallback().current().id();
        let own: RuntimeId = AsyncIo.id();
        let (outer, inner, after) = wait(async { (current(), wait(async { current() }), current()) });
        assert!(outer == after && ![inner, own].contains(&outer) && inner != own, "{outer:?} {inner:?}");
        assert_eq!(current(), own);
        assert!(catch_unwind(|| wait(poll_fn::<(), _>(|_| panic!("in a poll")))).is_err());
        assert_eq!(current(), own, "also after a panic");
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
