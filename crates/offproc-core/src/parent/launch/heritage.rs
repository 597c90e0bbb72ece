//! What a worker inherits. A process that the program spawns or forks inherits it from the program as it is; a worker
//! of a fork server inherits it as it was when that started, so its hello has what has changed since.

use crate::sys::fork_registry::{TrackedFd, TrackedGift};
use crate::sys::scheduling::Scheduling;
use crate::sys::{environment, limits};
use crate::wire::hello::Inherited;
use rustix::fs::{Mode, OFlags, open};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

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
        let environment = changed(&self.environment, &now.environment);
        let limits = now.limits.into_iter().enumerate().filter(|(place, limit)| self.limits.get(*place) != Some(limit));
        // As a descriptor, as its path may lead elsewhere, or nowhere, by then. A directory that may no longer be
        // entered cannot be opened; then the program has been in it since it could, and so has the fork server.
        let directory = TrackedFd::open(|| {
            let directory = open(".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            Ok([directory])
        });
        let directory = directory.ok().map(|[directory]| directory);
        let inherited = Inherited {
            environment,
            umask: umask(),
            limits: limits.collect(),
            scheduling: Scheduling::of_program(),
            has_directory: directory.is_some(),
        };
        (inherited, directory)
    }
}

/// The variables that were removed, added or changed.
fn changed(before: &[(OsString, OsString)], now: &[(OsString, OsString)]) -> Vec<(OsString, Option<OsString>)> {
    let [before, now] =
        [before, now].map(|them| environment::by_name(them.iter().map(|(name, value)| (name, Some(value)))));
    let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let mut changed = Vec::new();
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        changed.push((owned(name), None));
    }
    for (name, value) in now.iter().filter(|(name, value)| before.get(*name) != Some(*value)) {
        changed.push((owned(name), value.map(owned)));
    }
    changed
}

/// From `/proc`, as the system call returns it only by changing it, for all threads.
fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(umask.trim(), 8).ok()
}
