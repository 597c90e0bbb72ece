//! What a job may use, and when a call has to be over.

mod deadline;
mod job_limits;
mod monitor;

pub(crate) use deadline::Deadline;
pub(crate) use job_limits::Limits;
pub(crate) use monitor::{LimitMonitor, Overrun};
