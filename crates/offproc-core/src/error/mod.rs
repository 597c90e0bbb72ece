//! The ways in which a call can fail, one variant each.

pub(crate) mod backtrace;
mod broken;
mod bytes;
mod call;
mod chain;
mod codec;
mod config;
mod context;
pub(crate) mod death;
mod deaths;
mod early;
pub(crate) mod exit_info;
mod fault;
pub(crate) mod function;
mod io_error;
mod job;
mod outcome;
mod panic;
mod phase;
pub(crate) mod remote;
mod state;
mod station;

pub use broken::BrokenWorkerError;
pub use call::Error;
pub use codec::{DecodeError, EncodeError};
pub use config::ConfigError;
pub(crate) use context::about;
pub use fault::Fault;
pub use job::JobError;
pub use outcome::CallOutcome;
pub use panic::PanicError;
pub use phase::Phase;
pub use state::StateError;
pub use station::Station;

#[cfg(test)]
mod tests;
