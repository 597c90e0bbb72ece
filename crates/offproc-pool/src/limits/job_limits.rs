//! The limits of a job.

use offproc_core::{HardLimits, SoftLimits};
use std::time::Duration;

/// The limits of a call, or those that the calls of a context have by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) time: Option<Duration>,
    pub(crate) cpu: Option<Duration>,
    pub(crate) memory: Option<u64>,
    pub(crate) soft_time: Option<Duration>,
    pub(crate) soft_cpu: Option<Duration>,
    pub(crate) soft_memory: Option<u64>,
    /// How long a job whose call is dropped has to stop, before it is killed.
    pub(crate) cancel_grace: Option<Duration>,
}

impl Limits {
    /// These, and where there is none, the others.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            time: self.time.or(others.time),
            cpu: self.cpu.or(others.cpu),
            memory: self.memory.or(others.memory),
            soft_time: self.soft_time.or(others.soft_time),
            soft_cpu: self.soft_cpu.or(others.soft_cpu),
            soft_memory: self.soft_memory.or(others.soft_memory),
            cancel_grace: self.cancel_grace.or(others.cancel_grace),
        }
    }

    /// Those past which the job is killed, if there are any.
    pub(crate) fn hard(&self) -> Option<HardLimits> {
        let hard = HardLimits {
            time: self.time.filter(|time| *time != Duration::MAX),
            cpu: self.cpu.filter(|time| *time != Duration::MAX),
            memory: self.memory.filter(|bytes| *bytes != u64::MAX),
        };
        (hard != HardLimits::default()).then_some(hard)
    }

    /// Those that go with the job. A job that may be asked to stop has them, if only empty ones.
    pub(crate) fn soft(&self) -> Option<SoftLimits> {
        let soft = SoftLimits {
            time: self.soft_time.filter(|time| *time != Duration::MAX),
            cpu: self.soft_cpu.filter(|time| *time != Duration::MAX),
            memory: self.soft_memory.filter(|bytes| *bytes != u64::MAX),
        };
        (soft != SoftLimits::default() || self.cancel_grace().is_some()).then_some(soft)
    }

    pub(crate) fn cancel_grace(&self) -> Option<Duration> {
        self.cancel_grace.filter(|grace| !grace.is_zero())
    }
}
