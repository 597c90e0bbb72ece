//! The operating system, as `sys` of `offproc-core` has it.

pub(crate) mod ring_memory;
