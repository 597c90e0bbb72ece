//! One cell of the matrix.

use crate::Executor;
use offproc::{WorkerContext, WorkerContextBuilder};

/// How workers are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerKind {
    /// The program's executable, once more.
    Spawn,
}

/// The runtime and the kind of worker that a test runs with.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    executor: Executor,
    workers: WorkerKind,
}

/// The transport of the whole run, for the matrix is run once with each: `stream`, or nothing for the default.
const TRANSPORT: &str = "OFFPROC_TEST_TRANSPORT";

impl Case {
    /// A cell of the matrix.
    #[must_use]
    pub const fn new(executor: Executor, workers: WorkerKind) -> Self {
        Self { executor, workers }
    }

    /// The runtime of the test.
    #[must_use]
    pub const fn executor(self) -> Executor {
        self.executor
    }

    /// The kind of its workers.
    #[must_use]
    pub const fn workers(self) -> WorkerKind {
        self.workers
    }

    /// Default settings, but for the kind of worker and the transport.
    pub fn builder(self) -> WorkerContextBuilder {
        let builder = WorkerContext::builder();
        let builder = match self.workers {
            WorkerKind::Spawn => builder,
        };
        match std::env::var(TRANSPORT).as_deref() {
            Err(_) | Ok("" | "stream") => builder,
            Ok(other) => panic!("{TRANSPORT}={other} names no transport"),
        }
    }

    /// A context with default settings.
    #[must_use]
    pub fn context(self) -> WorkerContext {
        self.builder().open().expect("the defaults are valid")
    }
}
