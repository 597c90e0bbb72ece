//! What runs in the worker process.

pub(crate) mod entry;
mod panic;
mod port;
mod serve;
pub(crate) mod trampoline;
