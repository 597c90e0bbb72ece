//! What runs in the parent process: starting workers, talking to them, killing and reaping them.

pub(crate) mod fork;
pub(crate) mod fork_server;
pub(crate) mod keeper;
pub(crate) mod launcher;
pub(crate) mod line;
pub(crate) mod process;
pub(crate) mod runtime;
pub(crate) mod settings;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod shared;
pub(crate) mod spawn;
pub(crate) mod start;
pub(crate) mod stream;
pub(crate) mod tee;
mod turn;
pub(crate) mod witness;
pub(crate) mod worker;
pub(crate) mod worker_type;
