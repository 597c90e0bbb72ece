//! The first message to a worker: how to serve.

use crate::job::trampoline::Callback;
use crate::settings::Settings;
use crate::sys::limits::Limit;
use crate::sys::scheduling::Scheduling;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;

/// How deep workers may start workers: an endless recursion of calls ends in an error, not in a fork bomb.
pub(crate) const DEEPEST: u32 = 4;

/// The body of the first message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The fingerprint of the parent's executable.
    pub(crate) build: u128,
    /// 1 for a worker of the program, 2 for a worker of a worker, and so on.
    pub(crate) depth: u32,
    /// The signals that were ignored when the program started, a bit each: `1 << (number - 1)`.
    pub(crate) ignored_signals: u64,
    pub(crate) role: Role,
    pub(crate) settings: Settings,
}

/// The worker's answer to the hello, when it begins to run what it is to run first, and when it is ready.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) build: u128,
    /// The peak resident memory that the kernel counts for the worker, although it was that of the program that has
    /// started it. In bytes; 0 for a worker that was forked.
    pub(crate) inherited_memory: u64,
}

/// What the process is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// It runs jobs.
    Worker(Enclosed),
    /// It runs `preload`, and then forks workers.
    ForkServer,
}

/// What a worker gets with its hello, beside the lifeline and, with `keep_stderr`, its stderr.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Enclosed {
    /// For a worker of a fork server: what it did not inherit from the program itself.
    pub(crate) inherited: Option<Inherited>,
    /// It makes its state after `init`, as the job says that follows the hello.
    pub(crate) has_state: bool,
    /// It logs to the program. The pipe for that comes with the hello, and the counter of what is dropped.
    pub(crate) logs: Option<Logs>,
    /// It uses shared memory, whose descriptors come with the hello, and not the connection itself.
    pub(crate) shared_memory: bool,
}

/// How a worker logs to the program: `fn()`s, and a level.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Logs {
    pub(crate) before_init: Callback<fn()>,
    pub(crate) after_init: Callback<fn()>,
    pub(crate) level_changed: Callback<fn()>,
    /// Up to its first job, whose own level comes with it.
    pub(crate) level: u8,
}

/// What has changed in the program since the fork server started, from which a worker inherits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inherited {
    /// Variables that have changed since the fork server started, or with `None` were removed.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) umask: Option<u32>,
    /// The resource limits that have changed, by their place.
    pub(crate) limits: Vec<(usize, Limit)>,
    pub(crate) scheduling: Scheduling,
    /// The working directory comes with the hello, next to the lifeline.
    pub(crate) has_directory: bool,
}
