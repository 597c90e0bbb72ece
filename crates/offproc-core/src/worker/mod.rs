//! What runs in the worker process.

pub(crate) mod entry;
pub(crate) mod fork_server;
mod last_words;
mod panic;
pub(crate) mod port;
mod retirement;
mod serve;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod shared_port;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod spin;
pub(crate) mod stop;
pub(crate) mod stream_port;
mod surroundings;
pub(crate) mod trampoline;
