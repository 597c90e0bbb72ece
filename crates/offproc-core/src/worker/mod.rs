//! The worker process.

pub(crate) mod abort_panic;
pub(crate) mod channel;
// Miri runs constructors without arguments, and has no workers.
#[cfg(all(feature = "auto-init", not(miri)))]
#[cfg_attr(windows, path = "constructor/pe.rs")]
#[cfg_attr(target_vendor = "apple", path = "constructor/macho.rs")]
mod constructor;
mod control;
mod cpu_placement;
pub(crate) mod entry;
#[cfg_attr(windows, path = "forking/none.rs")]
pub(crate) mod forking;
mod handshake;
pub(crate) mod index;
mod items;
mod job_loop;
mod life;
pub(crate) mod link;
pub(crate) mod log_writer;
mod panic;
mod retirement;
mod spin;
mod stage;
pub(crate) mod stop;
mod surroundings;
