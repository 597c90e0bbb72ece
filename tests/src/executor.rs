//! The runtimes of the matrix.

use std::future::Future;
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
    pub fn block_on<F>(self, future: F) -> F::Output
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
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
