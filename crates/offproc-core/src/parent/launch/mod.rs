//! Starts worker processes: `launcher.rs` has the contract of all launchers.

mod async_mutex;
pub(crate) mod fork;
pub(crate) mod fork_server;
mod heritage;
pub(crate) mod launcher;
mod oneshot;
pub(crate) mod permit;
mod semaphore;
pub(crate) mod spawn;
