//! All that runs in the workers. Nothing here uses the program's `main`, or a runtime.

pub(crate) mod paint;
pub(crate) mod sheet;
mod silence;
pub(crate) mod thumbnail;

pub(crate) use silence::silence;

/// Whether the system enforces a limit on the address space of a process. Other systems have such a limit, but do not
/// enforce it.
pub(crate) const LIMITED_BY_SYSTEM: bool = cfg!(target_os = "linux");
