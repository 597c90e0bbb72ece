//! What both ends share, as `offproc-core` has it.

pub(crate) mod items;
