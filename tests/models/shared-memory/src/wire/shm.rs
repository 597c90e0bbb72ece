//! The layout of the memory, as `offproc-core` has it.

#[path = "../../../../../crates/offproc-core/src/wire/shm/slot.rs"]
pub(crate) mod slot;
