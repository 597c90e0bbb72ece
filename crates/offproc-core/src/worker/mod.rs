//! What runs in the worker process.

pub(crate) mod entry;
mod fork_server;
mod panic;
mod port;
mod retirement;
mod serve;
mod surroundings;
pub(crate) mod trampoline;
