//! The layout of an item channel's memory, and what goes over its socket where it has none.

pub(crate) mod entry;
pub(crate) mod stream;
pub(crate) mod words;
