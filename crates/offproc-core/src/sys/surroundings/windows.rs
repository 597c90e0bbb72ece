//! What a worker changes about itself. Its limits are those of its job, which the parent has set.

use super::gifts::Gift;
use super::win32::this;
use std::io;

/// `CREATE_NEW_PROCESS_GROUP` is for the parent to ask for; see `spawn`.
pub(crate) fn lead_own_group() -> io::Result<()> {
    Ok(())
}

/// `SetPriorityClass`: the nearest class.
pub(crate) fn set_niceness(nice: i32) -> io::Result<()> {
    this::set_priority_class(match nice {
        ..=-11 => this::Priority::High,
        -10..=-1 => this::Priority::AboveNormal,
        0 => this::Priority::Normal,
        1..=14 => this::Priority::BelowNormal,
        15.. => this::Priority::Idle,
    })
}

/// No fork server starts workers here, so none has another directory than the program.
pub(crate) fn enter(_: Gift) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn set_umask(_: u32) {}
