//! As `error` of `offproc-core`, without the words.

pub(crate) mod early;
#[path = "../../../../crates/offproc-core/src/error/exit_info.rs"]
pub(crate) mod exit_info;
pub(crate) mod fault;
#[path = "../../../../crates/offproc-core/src/error/phase.rs"]
mod phase;
#[path = "../../../../crates/offproc-core/src/error/remote.rs"]
pub(crate) mod remote;

pub(crate) use exit_info::ExitReport as BrokenWorkerError;
pub(crate) use phase::Phase;
