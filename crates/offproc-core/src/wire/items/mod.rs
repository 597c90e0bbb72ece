//! The layout of an item channel's memory.

pub(crate) mod entry;
pub(crate) mod words;
