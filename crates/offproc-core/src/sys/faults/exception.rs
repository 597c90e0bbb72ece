//! The details of a fault that ends a process: here the exit code says which it was, and nothing more is recorded.

use serde::{Deserialize, Serialize};

/// The system's details of a signal: no process here has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) signal: i32,
    pub(crate) code: i32,
    pub(crate) number: i32,
    pub(crate) address: u64,
    pub(crate) stack: u64,
}

/// The size of the stack of a thread that the job has started.
pub(crate) const UNKNOWN: u64 = u64::MAX;
