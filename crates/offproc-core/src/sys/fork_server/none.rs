//! Fork servers: this system has no forks.

/// Whether this system has fork servers.
pub(crate) const IS_SUPPORTED: bool = false;
