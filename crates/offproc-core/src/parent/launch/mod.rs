//! Starts worker processes: `launcher.rs` has the contract of all launchers.

mod async_mutex;
pub(crate) mod command;
#[cfg_attr(windows, path = "forking/none.rs")]
pub(crate) mod forking;
#[cfg_attr(windows, path = "heritage/none.rs")]
mod heritage;
pub(crate) mod launcher;
mod oneshot;
pub(crate) mod permit;
mod semaphore;
pub(crate) mod spawn;
