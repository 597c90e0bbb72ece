//! The runtimes of the matrix.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::runtime::{Builder, Runtime};

/// An async runtime, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// tokio, all tasks on the calling thread.
    TokioCurrentThread,
    /// tokio with two worker threads.
    TokioMultiThread,
    /// async-std.
    AsyncStd,
    /// smol.
    Smol,
    /// No runtime: a bare `block_on`.
    FuturesBlockOn,
}

impl Executor {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::TokioCurrentThread, Self::TokioMultiThread, Self::AsyncStd, Self::Smol, Self::FuturesBlockOn];

    /// Runs a future to its end, in a new runtime where the kind has any.
    ///
    /// # Panics
    ///
    /// The future panics.
    pub fn block_on<F>(self, future: F) -> F::Output
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let output = Arc::new(Mutex::new(None));
        let place = Arc::clone(&output);
        self.run(Box::pin(async move {
            let value = future.await;
            *place.lock().expect("no panic while it was locked") = Some(value);
        }));
        output.lock().expect("no panic while it was locked").take().expect("the future has ended")
    }

    /// For futures of one type, so that the runtimes are compiled here, once, and not for each test of each file.
    fn run(self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        match self {
            Self::TokioCurrentThread => tokio(Builder::new_current_thread()).block_on(future),
            // As a task, so that it may move between threads.
            Self::TokioMultiThread => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(2);
                let runtime = tokio(builder);
                let task = runtime.spawn(future);
                runtime.block_on(task).unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
            }
            Self::AsyncStd => async_std::task::block_on(future),
            Self::Smol => smol::block_on(future),
            Self::FuturesBlockOn => futures::executor::block_on(future),
        }
    }
}

fn tokio(mut builder: Builder) -> Runtime {
    builder.enable_all().build().expect("a runtime")
}
