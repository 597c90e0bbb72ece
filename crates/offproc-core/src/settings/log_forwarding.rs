//! The seam between carrying log records and interpreting them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The destination of a job's log records.
pub trait LogSink: fmt::Debug + Send + Sync {
    /// Takes records, in the order in which they were written. They come from a worker and are not trusted. Returns how
    /// many of them were invalid or could not be taken. Must not panic.
    fn deliver(&self, records: &mut dyn Iterator<Item = &[u8]>) -> u64;

    /// Reports that this many records were dropped. False if that could not be reported: then it is called again. Must
    /// not panic.
    fn tell_dropped(&self, count: u64) -> bool;
}

/// Makes records of what the workers of a context log, and has the sink for records of no job.
pub trait LogForwarder: fmt::Debug + Send + Sync {
    /// The functions that run in each worker.
    fn hooks(&self) -> LogHooks;

    /// The level up to which workers log from now on, from 0 for nothing to 5 for everything. Read before each job,
    /// which can get it from [`log_level`](crate::log_level).
    fn level(&self) -> u8;

    /// For records of no job: from `init`, between two jobs, or late.
    fn sink(&self) -> Arc<dyn LogSink>;
}

/// The functions that run in a worker for its log. Each is part of this executable.
#[derive(Clone, Copy, Debug)]
pub struct LogHooks {
    /// Before any code of the program's.
    pub before_init: fn(),
    /// After the context's `init` function.
    pub after_init: fn(),
    /// When the level has changed.
    pub level_changed: fn(),
}

/// Forwards the log of one context's workers.
#[derive(Clone, Debug)]
pub struct LogForwarding {
    forwarder: Arc<dyn LogForwarder>,
    /// Identifies the context.
    id: u64,
}

impl LogForwarding {
    /// For one context.
    #[must_use]
    pub fn new(forwarder: Arc<dyn LogForwarder>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self { forwarder, id: LAST.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn forwarder(&self) -> &dyn LogForwarder {
        &*self.forwarder
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}
