//! Launchers whose workers are forks: this system has no forks.
#![allow(unsafe_code)]

use super::launcher::Launcher;
use super::spawn::Spawn;
use crate::settings::Settings;

/// Never used, as `WorkerType::check` refuses it.
pub(crate) fn of_fork_server(_: &Settings) -> Box<dyn Launcher> {
    Box::new(Spawn)
}

/// Never used, as `WorkerType::check` refuses it.
///
/// # Safety
///
/// Always given.
pub(crate) unsafe fn of_program() -> Box<dyn Launcher> {
    Box::new(Spawn)
}
