use std::fmt;
use std::process::ExitStatus;

/// What a worker was doing when it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It had not said that it was ready.
    Start,
    /// It ran the context's `init` function.
    Init,
    /// It ran a job.
    Job,
    /// It had no job: it was idle, or ran the context's `retire` function.
    Idle,
    /// It had been asked to leave.
    Shutdown,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "while starting",
            Self::Init => "in its init function",
            Self::Job => "while it ran a job",
            Self::Idle => "while it had no job",
            Self::Shutdown => "while shutting down",
        })
    }
}

/// One or more worker processes died that should not have.
///
/// From a call it tells of one worker; from [`close`] of all that did not end cleanly.
///
/// [`close`]: https://docs.rs/offproc/latest/offproc/struct.WorkerContext.html#method.close
#[derive(Clone, Debug)]
pub struct BrokenWorkerError {
    ends: Vec<End>,
    unnamed: usize,
}

#[derive(Clone, Debug)]
struct End {
    pid: u32,
    status: Option<ExitStatus>,
    phase: Phase,
}

impl BrokenWorkerError {
    /// How many ends one error names; more are only counted, so that a storm of deaths costs no memory.
    const NAMED: usize = 16;

    #[doc(hidden)]
    #[must_use]
    pub fn new(pid: u32, status: Option<ExitStatus>, phase: Phase) -> Self {
        Self { ends: vec![End { pid, status, phase }], unnamed: 0 }
    }

    #[doc(hidden)]
    pub fn merge(&mut self, other: Self) {
        self.unnamed += other.unnamed;
        for end in other.ends {
            if self.ends.len() < Self::NAMED {
                self.ends.push(end);
            } else {
                self.unnamed += 1;
            }
        }
    }

    /// The process id of the worker (of the first one, where there are several).
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.ends[0].pid
    }

    /// How the worker ended (the first one, where there are several), where the system could tell: the exit code, or
    /// through [`ExitStatusExt`](std::os::unix::process::ExitStatusExt) the signal. `None` where something else in
    /// the program waited for the process first, or where the program ignores SIGCHLD.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.ends[0].status
    }

    /// What the worker was doing (the first one, where there are several).
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.ends[0].phase
    }

    /// How many workers the error tells of; never 0.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ends.len() + self.unnamed
    }
}

impl fmt::Display for BrokenWorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count() > 1 {
            write!(f, "{} workers did not end cleanly: ", self.count())?;
        }
        for (i, end) in self.ends.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "worker {} ", end.pid)?;
            match end.status {
                Some(status) => crate::sys::status::describe(status, f)?,
                None => f.write_str("ended in an unknown way")?,
            }
            write!(f, " {}", end.phase)?;
        }
        if self.unnamed > 0 {
            write!(f, "; and {} more", self.unnamed)?;
        }
        Ok(())
    }
}

impl std::error::Error for BrokenWorkerError {}
