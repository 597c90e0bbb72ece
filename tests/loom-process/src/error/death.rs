//! What is known of the end of one worker.

use super::Phase;
use crate::sys::reap::Usage;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub(crate) struct Death {
    pub(crate) pid: u32,
    pub(crate) phase: Phase,
    pub(crate) offence: Option<String>,
    pub(crate) task: Option<()>,
    pub(crate) ran_for: Option<Duration>,
    pub(crate) end: End,
}

impl Death {
    pub(crate) fn of(death: Self) -> Self {
        death
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    pub(crate) at: Option<Instant>,
    pub(crate) status: Option<ExitStatus>,
    pub(crate) usage: Option<Usage>,
    pub(crate) peak_memory: Option<u64>,
}
