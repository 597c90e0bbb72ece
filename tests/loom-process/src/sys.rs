//! The operating system, as `sys` of `offproc-core` has it.

pub(crate) mod descriptors;
pub(crate) mod fork;
pub(crate) mod group;
#[path = "../../../crates/offproc-core/src/sys/process.rs"]
pub(crate) mod process;
pub(crate) mod reap;
