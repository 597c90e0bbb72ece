//! The parent's side of `offproc-core`.

pub(crate) mod channel;
pub(crate) mod runtime;
