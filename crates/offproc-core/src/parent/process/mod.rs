//! A worker's process: its end, and the diagnostics of that.

pub(crate) mod diagnostics;
pub(crate) mod exit;
pub(crate) mod exit_policy;
#[cfg(test)]
mod fake;
pub(crate) mod handle;
pub(crate) mod leftovers;
mod printer;
#[cfg(test)]
mod races;
pub(crate) mod remote;
mod state;
pub(crate) mod stderr_tee;
pub(crate) mod supervised;
mod supervision;
