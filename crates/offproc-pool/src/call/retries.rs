//! Jobs that run again after a crash.

use offproc_core::{BrokenWorkerError, EncodedArgument};

/// How often a job may still run again, and what it needs for that.
#[derive(Clone, Debug)]
pub(super) struct Retries {
    pub(super) left: u32,
    pub(super) argument: EncodedArgument,
    /// The last crash.
    pub(super) crash: Option<BrokenWorkerError>,
}
