//! The first message to a worker: how it is to serve.

use super::function::Place;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The environment variable that marks a worker; by itself it makes nobody one.
pub(crate) const MARKER: &str = "OFFPROC_WORKER";

/// How deep workers may start workers: an endless recursion of calls ends in an error, not in a fork bomb.
pub(crate) const DEEPEST: u32 = 4;

/// What a worker is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The fingerprint of the parent's executable.
    pub(crate) build: u128,
    /// 1 for a worker of the program, 2 for a worker of a worker, and so on.
    pub(crate) depth: u32,
    /// The largest frame body.
    pub(crate) frame_limit: u64,
    /// How long to stay without a job; `None` for ever.
    pub(crate) idle_timeout: Option<Duration>,
    /// `fn()`, before the first job.
    pub(crate) init: Option<Place>,
    /// `fn() -> bool`, after each job.
    pub(crate) retire: Option<Place>,
}
