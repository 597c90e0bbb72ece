//! The first message to a worker: how it is to serve.

use super::function::Place;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::time::Duration;

/// The environment variable that marks a worker; by itself it makes nobody one.
pub(crate) const MARKER: &str = "OFFPROC_WORKER";

/// How deep workers may start workers: an endless recursion of calls ends in an error, not in a fork bomb.
pub(crate) const DEEPEST: u32 = 4;

/// What a worker is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The fingerprint of the parent's executable.
    pub(crate) build: u128,
    /// 1 for a worker of the program, 2 for a worker of a worker, and so on.
    pub(crate) depth: u32,
    /// The largest frame body.
    pub(crate) frame_limit: u64,
    pub(crate) role: Role,
    pub(crate) surroundings: Surroundings,
}

/// What the process is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// It runs jobs.
    Worker(Service),
    /// It runs `preload`, and then forks workers.
    ForkServer { preload: Option<Place>, kill_tree: bool },
}

/// How a worker runs jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    /// How long to stay without a job; `None` for ever.
    pub(crate) idle_timeout: Option<Duration>,
    /// `fn()`, before the first job.
    pub(crate) init: Option<Place>,
    /// `fn()`, the last thing before the first job.
    pub(crate) sandbox: Option<Place>,
    pub(crate) retirement: Retirement,
    /// Its stderr comes with the hello, next to the lifeline.
    pub(crate) has_stderr: bool,
    /// Over shared memory, whose descriptors come with the hello, looking for so long before it sleeps; or over the
    /// connection itself.
    pub(crate) shared_memory: Option<Duration>,
}

/// When a worker retires: whichever comes first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Retirement {
    /// `fn() -> bool`, after each job.
    pub(crate) asked: Option<Place>,
    /// After a number of jobs between these.
    pub(crate) jobs: Option<(u64, u64)>,
    pub(crate) age: Option<Duration>,
    /// Above this resident memory, in bytes.
    pub(crate) memory: Option<u64>,
}

impl Retirement {
    pub(crate) fn is_possible(&self) -> bool {
        self.asked.is_some() || self.jobs.is_some() || self.age.is_some() || self.memory.is_some()
    }
}

/// What a worker changes about itself before its first job, so that starting it stays cheap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    pub(crate) signals: Signals,
    /// Variables to set, or with `None` to remove, in this order.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) directory: Option<OsString>,
    pub(crate) nice: Option<i32>,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) limits: Vec<(Resource, u64)>,
    /// What it starts ends with it, or with the program.
    pub(crate) kill_tree: bool,
    /// It tells of the faults that end it.
    pub(crate) fault_details: bool,
}

/// Which signals reach the workers of a context.
///
/// A worker always ignores SIGINT, which a terminal sends to the whole foreground group at Ctrl+C: what that means is
/// for the program to decide. All other signals are at their defaults, unless `init` changes that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Signals {
    /// Workers stay in the program's process group.
    #[default]
    Inherit,
    /// Workers ignore SIGTERM too. For services whose manager sends it to all processes of the service: the program
    /// gets to end its work, and its workers with it.
    IgnoreTerminate,
    /// Each worker is in a process group of its own: what a terminal or a shell sends to the program's group (SIGINT,
    /// SIGTSTP, SIGHUP) does not reach it.
    OwnGroup,
}

/// A resource whose use by one worker can be limited; past the limit, the system refuses or kills as it is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Resource {
    /// Bytes of address space (`RLIMIT_AS`): allocations fail, which aborts most Rust programs.
    AddressSpace,
    /// Seconds of CPU time (`RLIMIT_CPU`): SIGXCPU, which kills.
    CpuTime,
    /// Bytes in a file it writes (`RLIMIT_FSIZE`): SIGXFSZ, which kills.
    FileSize,
    /// Open descriptors (`RLIMIT_NOFILE`): opening more fails.
    OpenFiles,
    /// Bytes in a core dump (`RLIMIT_CORE`); 0 for none.
    CoreSize,
}
