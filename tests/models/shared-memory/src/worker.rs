//! The worker's side of `offproc-core`.

pub(crate) mod channel;
mod cpu_placement;
pub(crate) mod spin;
