//! Launchers whose workers are forks.

pub(crate) mod fork_server;
pub(crate) mod program;

use super::launcher::Launcher;
use crate::settings::Settings;

/// For `WorkerType::ForkServer`.
pub(crate) fn of_fork_server(settings: &Settings) -> Box<dyn Launcher> {
    Box::new(fork_server::launcher::ForkServerLauncher::new(settings.clone()))
}

pub(crate) use program::of_program;
