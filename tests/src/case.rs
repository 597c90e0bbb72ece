//! One cell of the matrix.

use crate::Executor;
use offproc::{Transport, WorkerContext, WorkerContextBuilder, WorkerType};

/// How workers are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerKind {
    /// The program's executable, once more.
    Spawn,
    /// Forks of a fork server.
    ForkServer,
    /// Forks of the test.
    Fork,
}

/// The runtime and the kind of worker that a test runs with.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    executor: Executor,
    workers: WorkerKind,
}

/// The transport of the whole run, for the matrix is run once with each: `shared-memory` or `stream`; the default where
/// it is not set.
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
        let builder = WorkerContext::builder().worker_type(match self.workers {
            WorkerKind::Spawn => WorkerType::Spawn,
            WorkerKind::ForkServer => WorkerType::ForkServer,
            // SAFETY: the jobs of the tests use the allocator, files and processes, and no lock or data of another
            // thread of the test.
            WorkerKind::Fork => unsafe { WorkerType::fork() },
        });
        match std::env::var(TRANSPORT).as_deref() {
            Err(_) | Ok("") => builder,
            Ok("shared-memory") => builder.transport(Transport::SharedMemory),
            Ok("stream") => builder.transport(Transport::Stream),
            Ok(other) => panic!("{TRANSPORT}={other} names no transport"),
        }
    }

    /// A context with default settings.
    #[must_use]
    pub fn context(self) -> WorkerContext {
        self.builder().open().expect("the defaults are valid")
    }
}
