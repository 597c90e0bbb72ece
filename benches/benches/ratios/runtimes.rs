//! The ways to run tokio that are measured.

use std::fmt;
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

/// A flavour of tokio's runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tokio {
    /// The multi-threaded one, with the measured calls in a spawned task, as a server's would be.
    Multi,
    /// The one of a single thread.
    Current,
}

impl Tokio {
    pub(crate) const BOTH: [Self; 2] = [Self::Multi, Self::Current];

    /// Runs a task to its end on a new runtime whose `spawn_blocking` has `threads` threads at most.
    pub(crate) fn run<T: Send + 'static>(
        self,
        threads: usize,
        task: impl Future<Output = T> + Send + 'static,
    ) -> std::io::Result<T> {
        let runtime = self.build(threads)?;
        Ok(runtime.block_on(async { tokio::spawn(task).await.expect("a benchmark's task does not panic") }))
    }

    fn build(self, threads: usize) -> std::io::Result<Runtime> {
        let mut builder = match self {
            Self::Multi => Builder::new_multi_thread(),
            Self::Current => Builder::new_current_thread(),
        };
        builder.enable_all().max_blocking_threads(threads).build()
    }
}

impl fmt::Display for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multi => "tokio multi-thread",
            Self::Current => "tokio current-thread",
        })
    }
}
