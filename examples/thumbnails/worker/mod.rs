//! All that runs in the workers. Nothing here knows of the program's `main`, nor of a runtime.

pub(crate) mod paint;
pub(crate) mod sheet;
mod silence;
pub(crate) mod thumbnail;

pub(crate) use silence::silence;

/// Whether the address space of a process can be limited, so that what asks for more dies. Other systems have such a
/// limit as well, and do not keep it.
pub(crate) const LIMITED_BY_SYSTEM: bool = cfg!(target_os = "linux");
