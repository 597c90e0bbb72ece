//! What a worker inherits. A process that the program spawns or forks inherits it from the program as it is; a worker
//! of a fork server inherits it as it was when that started, so its hello has what has changed since.

use crate::sys::fork_registry::TrackedGift;
use crate::sys::scheduling::Scheduling;
use crate::sys::{environment, limits, surroundings};
use crate::wire::hello::Inherited;
use std::ffi::OsString;

/// The state of the program when a fork server started.
#[derive(Debug)]
pub(crate) struct Heritage {
    environment: Vec<(OsString, OsString)>,
    limits: Vec<limits::Limit>,
}

impl Heritage {
    pub(crate) fn now() -> Self {
        Self { environment: std::env::vars_os().collect(), limits: limits::all() }
    }

    /// What has changed since, and the working directory.
    pub(crate) fn changes(&self) -> (Inherited, Option<TrackedGift>) {
        let now = Self::now();
        let environment = environment::changed(&self.environment, &now.environment);
        let limits = now.limits.into_iter().enumerate().filter(|(place, limit)| self.limits.get(*place) != Some(limit));
        let directory = surroundings::directory();
        let inherited = Inherited {
            environment,
            umask: surroundings::umask(),
            limits: limits.collect(),
            scheduling: Scheduling::of_program(),
            has_directory: directory.is_some(),
        };
        (inherited, directory)
    }
}
