//! The details of a fault: no handler for them on these systems so far.

use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

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

/// # Errors
///
/// Always.
pub(crate) fn report_on(_line: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "offproc has none for this system"))
}

/// None was written.
pub(crate) fn read(_line: impl AsFd, _pid: u32) -> Option<Record> {
    None
}
