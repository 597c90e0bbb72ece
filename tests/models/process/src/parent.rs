//! The parent's side of `offproc-core`.

pub(crate) mod process;

/// The background thread drives its tasks side by side, on one thread. Here each has its own, which allows more.
pub(crate) mod background {
    use loom::future::block_on;
    use loom::thread;

    pub(crate) fn spawn_background(task: impl Future<Output = ()> + 'static) {
        thread::spawn(move || block_on(task));
    }
}

/// Time stands still until a race lets it pass.
pub(crate) mod timer {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::task::{Poll, Waker};
    use std::time::Duration;

    thread_local! {
        // All threads of a model are one thread of the test.
        static SLEEPERS: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
    }

    /// Ends when time passes.
    pub(crate) async fn sleep(_: Duration) {
        poll_fn(|cx| {
            SLEEPERS.with_borrow_mut(|sleepers| match sleepers {
                Some(sleepers) => {
                    sleepers.push(cx.waker().clone());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            })
        })
        .await;
    }

    pub(crate) fn stop_time() {
        SLEEPERS.set(Some(Vec::new()));
    }

    pub(crate) fn let_time_pass() {
        SLEEPERS.take().into_iter().flatten().for_each(Waker::wake);
    }
}
