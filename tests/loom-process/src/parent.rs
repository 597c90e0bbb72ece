//! The parent's side of `offproc-core`.

pub(crate) mod keeper;
#[path = "../../../crates/offproc-core/src/parent/process.rs"]
pub(crate) mod process;
pub(crate) mod witness;
