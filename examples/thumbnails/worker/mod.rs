//! All that runs in the workers. Nothing here knows of the program's `main`, nor of a runtime.

pub(crate) mod memory;
pub(crate) mod paint;
pub(crate) mod sheet;
mod silence;
pub(crate) mod thumbnail;

pub(crate) use silence::silence;
