//! The layout of the memory that a parent and a worker share.

pub(crate) mod forgotten;
pub(crate) mod slot;
