//! Which CPU a thread runs on: offproc neither asks nor chooses on these systems.

use std::io;

/// The number of no CPU.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// One more than the highest number of a CPU.
pub(crate) const MOST: usize = 1024;

/// Not known.
pub(crate) fn are_all_missing(_cpus: &[usize]) -> bool {
    false
}

/// # Errors
///
/// Always.
pub(crate) fn bind_to(_cpus: &[usize]) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "offproc does not bind processes to CPUs on this system"))
}

/// Not known.
pub(crate) fn current() -> u32 {
    UNKNOWN
}

/// Does not move the thread.
pub(crate) fn leave(_cpu: u32) -> bool {
    false
}

/// Does not move the thread.
pub(crate) fn join(_cpu: u32) -> bool {
    false
}
