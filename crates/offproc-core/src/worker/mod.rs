//! The worker process.

pub(crate) mod abort_panic;
pub(crate) mod channel;
// Miri runs constructors without arguments, and has no workers.
#[cfg(all(feature = "auto-init", not(miri)))]
mod constructor;
mod cpu_placement;
pub(crate) mod entry;
pub(crate) mod fork_loop;
mod handshake;
pub(crate) mod index;
mod items;
mod job_loop;
mod life;
pub(crate) mod log_writer;
mod panic;
mod retirement;
mod spin;
mod stage;
pub(crate) mod stop;
mod surroundings;
