//! What runs in the worker process.

pub(crate) mod entry;
mod fork_server;
mod last_words;
mod panic;
pub(crate) mod port;
mod retirement;
mod serve;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod shared_port;
mod stream_port;
mod surroundings;
pub(crate) mod trampoline;
