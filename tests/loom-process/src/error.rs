//! As `error` of `offproc-core`, without the words.

pub(crate) mod death;
#[path = "../../../crates/offproc-core/src/error/phase.rs"]
mod phase;

pub(crate) use death::Death as BrokenWorkerError;
pub(crate) use phase::Phase;
