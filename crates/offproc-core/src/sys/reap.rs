//! The result of reaping a child: how it ended, and what it has used.

use super::status;
use serde::{Deserialize, Serialize};
use std::ffi::c_int;
use std::process::ExitStatus;
use std::time::Duration;

/// How a child ended, as the kernel reports it to the parent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Reaped {
    status: c_int,
    pub(crate) usage: Usage,
}

/// What a process, and those of its children that it has waited for, have used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// The peak resident memory, in bytes. A new program's begins with that of the program that started it.
    pub(crate) memory: u64,
}

impl Reaped {
    /// `status`: in the encoding of `waitpid`.
    pub(crate) fn new(status: c_int, usage: Usage) -> Self {
        Self { status, usage }
    }

    pub(crate) fn status(&self) -> ExitStatus {
        status::from_raw(self.status)
    }
}
