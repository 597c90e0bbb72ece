//! What is known of the end of a process, in plain data.

use super::early::Program;
use super::fault::Fault;
use super::phase::Phase;
use super::remote::Remote;
use crate::sys::reap::{Reaped, Usage};
use crate::sys::status;
use serde::{Deserialize, Serialize};
use std::process::ExitStatus;
use std::time::Instant;

/// The end of a worker's process, and what the worker was doing.
#[derive(Clone, Debug)]
pub(crate) struct ExitReport {
    pub(crate) pid: u32,
    pub(crate) phase: Phase,
    /// Whether offproc killed it.
    pub(crate) by_us: bool,
    pub(crate) exit: ExitInfo,
}

/// How a process has ended, as far as the system reports it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ExitInfo {
    /// When a process saw it, by that process's clock.
    #[serde(skip)]
    pub(crate) at: Option<Instant>,
    #[serde(with = "exit_status")]
    pub(crate) status: Option<ExitStatus>,
    pub(crate) usage: Option<Usage>,
    /// In bytes.
    pub(crate) peak_memory: Option<u64>,
    pub(crate) fault: Option<Fault>,
    /// It died of SIGSEGV, and its handler for faults, which it had, reported nothing.
    pub(crate) is_unreported_fault: bool,
    pub(crate) by_oom_killer: Option<bool>,
    /// The tail of it, if the context keeps that.
    pub(crate) stderr: Option<String>,
    pub(crate) program: Program,
    /// Of a worker behind a command. Then the status, and what was used, are its launcher's.
    pub(crate) remote: Option<Box<Remote>>,
}

/// In the system's encoding.
mod exit_status {
    use crate::sys::status;
    use serde::{Deserialize, Serialize};
    use serde::{Deserializer, Serializer};
    use std::process::ExitStatus;

    pub(super) fn serialize<S: Serializer>(ended: &Option<ExitStatus>, serializer: S) -> Result<S::Ok, S::Error> {
        ended.map(status::to_raw).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ExitStatus>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(status::from_raw))
    }
}

impl ExitInfo {
    /// Of a process that ends now; `None` where its status went to other code. The kernel counts `inherited_memory` for
    /// it, which was another process's.
    pub(crate) fn now(reaped: Option<Reaped>, inherited_memory: u64) -> Self {
        Self {
            at: Some(Instant::now()),
            status: reaped.map(|reaped| reaped.status()),
            usage: reaped.map(|reaped| reaped.usage),
            peak_memory: reaped.map(|reaped| reaped.usage.memory).filter(|memory| *memory > inherited_memory),
            ..Self::default()
        }
    }

    /// The process has exited with 0, or its status is unknown. One behind a command has said goodbye.
    pub(crate) fn is_clean(&self) -> bool {
        match &self.remote {
            Some(remote) => remote.has_left,
            None => self.status.is_none_or(|status| status.success()),
        }
    }

    /// It was killed by SIGKILL, or its status is unknown. One behind a command was to kill itself.
    pub(crate) fn is_by_kill(&self) -> bool {
        match &self.remote {
            Some(remote) => remote.is_killed && !remote.has_left,
            None => self.status.is_none_or(status::is_kill),
        }
    }
}
