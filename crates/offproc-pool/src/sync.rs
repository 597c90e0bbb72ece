//! The primitives that loom has to see: its own under `--cfg loom`, the usual ones otherwise.

#[cfg(not(loom))]
pub(crate) use event_listener::Event;
#[cfg(loom)]
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(all(loom, test))]
pub(crate) use model::Event;
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

#[cfg(all(loom, test))]
mod model {
    use super::{Arc, Mutex};
    use std::future::poll_fn;
    use std::task::{Poll, Waker};

    /// As that of `event-listener`, as far as it is used here: `notify` is for all who listen by then.
    #[derive(Debug)]
    pub(crate) struct Event(Arc<Mutex<Listeners>>);

    #[derive(Debug, Default)]
    struct Listeners {
        notified: usize,
        wakers: Vec<Waker>,
    }

    impl Event {
        pub(crate) fn new() -> Self {
            Self(Arc::new(Mutex::default()))
        }

        pub(crate) fn listen(&self) -> impl Future<Output = ()> + use<> {
            let listeners = self.0.clone();
            let seen = listeners.lock().unwrap().notified;
            poll_fn(move |cx| {
                let mut listeners = listeners.lock().unwrap();
                if listeners.notified > seen {
                    return Poll::Ready(());
                }
                listeners.wakers.push(cx.waker().clone());
                Poll::Pending
            })
        }

        pub(crate) fn notify(&self, _all: usize) {
            let mut listeners = self.0.lock().unwrap();
            listeners.notified += 1;
            let wakers = std::mem::take(&mut listeners.wakers);
            drop(listeners);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
