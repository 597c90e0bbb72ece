//! The operating system, one concept a file. What is unsafe in this crate is here, in `worker/trampoline.rs` and
//! nowhere else.

pub(crate) mod at_exit;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod cpu;
pub(crate) mod descriptors;
pub(crate) mod environment;
pub(crate) mod faults;
pub(crate) mod fork;
pub(crate) mod group;
pub(crate) mod image;
pub(crate) mod lifeline;
pub(crate) mod messages;
pub(crate) mod oom;
pub(crate) mod peer;
pub(crate) mod process;
pub(crate) mod reap;
pub(crate) mod sealed;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod shared_memory;
pub(crate) mod signals;
// Miri runs constructors without arguments, and has no workers.
pub(crate) mod stack;
#[cfg(all(feature = "auto-init", not(miri)))]
mod start;
pub(crate) mod status;
pub(crate) mod symbols;
pub(crate) mod usage;
