//! The operating system, one concept a file. What is unsafe in this crate is here, in `worker/trampoline.rs` and
//! nowhere else.

pub(crate) mod at_exit;
pub(crate) mod descriptors;
pub(crate) mod environment;
pub(crate) mod fork;
pub(crate) mod image;
pub(crate) mod lifeline;
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod sealed;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod shared_memory;
pub(crate) mod signals;
#[cfg(feature = "auto-init")]
mod start;
pub(crate) mod status;
