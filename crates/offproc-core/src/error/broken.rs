use super::death::{Death, Task};
use super::fault::Fault;
use super::phase::Phase;
use std::fmt;
use std::panic::Location;
use std::process::ExitStatus;
use std::time::Duration;

/// One or more worker processes died that should not have.
///
/// From a call it tells of one worker; from [`close`] of all that did not end cleanly. Where there are several, the
/// methods tell of the first one.
///
/// `{}` prints it in one line, `{:#}` all that is known in several.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::{Error, run_sync};
///
/// fn give_up(code: i32) {
///     std::process::exit(code);
/// }
///
/// match run_sync(give_up, 42).await {
///     Err(Error::BrokenWorker(death)) => {
///         println!("{death:#}");
///         assert_eq!(death.exit_status().unwrap().code(), Some(42));
///         assert!(death.function_type().unwrap().contains("fn(i32)"));
///     }
///     other => unreachable!("{other:?}"),
/// }
/// # });
/// ```
///
/// [`close`]: https://docs.rs/offproc/latest/offproc/struct.WorkerContext.html#method.close
#[derive(Clone, Debug)]
pub struct BrokenWorkerError {
    deaths: Vec<Death>,
    unnamed: usize,
}

impl BrokenWorkerError {
    /// How many ends one error names; more are only counted, so that a storm of deaths costs no memory.
    const NAMED: usize = 16;

    pub(crate) fn of(death: Death) -> Self {
        Self { deaths: vec![death], unnamed: 0 }
    }

    #[doc(hidden)]
    pub fn merge(&mut self, other: Self) {
        self.unnamed += other.unnamed;
        for death in other.deaths {
            if self.deaths.len() < Self::NAMED {
                self.deaths.push(death);
            } else {
                self.unnamed += 1;
            }
        }
    }

    /// The first death, never missing, to be completed by who knows more of it.
    pub(crate) fn first_mut(&mut self) -> &mut Death {
        &mut self.deaths[0]
    }

    fn first(&self) -> &Death {
        &self.deaths[0]
    }

    /// The process id of the worker.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.first().pid
    }

    /// How the worker ended, where the system could tell: the exit code, or through
    /// [`ExitStatusExt`](std::os::unix::process::ExitStatusExt) the signal and whether there is a core dump. `None`
    /// where something else in the program waited for the process first, or where the program ignores SIGCHLD.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.first().end.status
    }

    /// What the worker was doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.first().phase
    }

    /// The path of the function that the worker ran, the context's `init` function included. `None` where the
    /// executable has no symbols (it was stripped: see [`function_offset`](Self::function_offset)), and where the worker
    /// ran none.
    ///
    /// A closure may be told as `{{closure}}` only; [`called_at`](Self::called_at) tells which. Functions that the
    /// compiler has made one of, as they do the same, are all named.
    ///
    /// The first time that a function is asked for, the executable's table of symbols is read, which takes
    /// milliseconds.
    #[must_use]
    pub fn function(&self) -> Option<&'static str> {
        self.first().task.and_then(Task::name)
    }

    /// Where that function is, as an offset from the load address of the executable: what `addr2line -e` wants.
    #[must_use]
    pub fn function_offset(&self) -> Option<u64> {
        self.first().task.and_then(Task::offset)
    }

    /// The type of that function, for instance `fn(u32) -> u64`, as [`type_name`](std::any::type_name) writes it.
    #[must_use]
    pub fn function_type(&self) -> Option<&'static str> {
        self.first().task.map(|task| task.type_name)
    }

    /// Where the program called `run_sync` with the job that the worker ran.
    #[must_use]
    pub fn called_at(&self) -> Option<&'static Location<'static>> {
        self.first().task.and_then(|task| task.caller)
    }

    /// How long the worker had its job, by the wall clock, from when its caller began to wait for the result. `None`
    /// where it had none.
    #[must_use]
    pub fn ran_for(&self) -> Option<Duration> {
        self.first().ran_for
    }

    /// The CPU time that the worker spent in its own code, all its jobs and those of its children that it waited for
    /// included. `None` where [`exit_status`](Self::exit_status) is.
    #[must_use]
    pub fn user_time(&self) -> Option<Duration> {
        self.first().end.usage.map(|usage| usage.user)
    }

    /// The same for the time that the system spent for it.
    #[must_use]
    pub fn system_time(&self) -> Option<Duration> {
        self.first().end.usage.map(|usage| usage.system)
    }

    /// The largest resident memory, in bytes, that the worker, or one of its children that it waited for, ever had.
    ///
    /// # Platform-specific behaviour
    ///
    /// Linux counts the memory that a program has when it starts another one for that other one, too. So with
    /// [`WorkerType::Spawn`](crate::WorkerType::Spawn) this is `None` for a worker that never had more than the program
    /// itself had before it.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        self.first().end.peak_memory
    }

    /// What the kernel said of the signal that killed the worker: where a fault was, or who sent it. `None` unless the
    /// context has [`fault_details`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.fault_details)
    /// and the signal is one of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and SIGSYS.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.first().end.fault
    }

    /// Whether the worker left a core dump, as far as the kernel knows; where that is, is the system's to say.
    #[must_use]
    pub fn core_dumped(&self) -> bool {
        self.exit_status().is_some_and(crate::sys::status::core_dumped)
    }

    /// Whether the kernel's out-of-memory killer killed the worker. `None` where that cannot be told.
    ///
    /// # Platform-specific behaviour
    ///
    /// Linux does not tell who sent a SIGKILL, but counts those of its own. `true`: the memory control group of the
    /// program has counted one since the worker was started that no other worker accounts for. `false`: it has not, or
    /// the worker died of something else, or was killed by this program. A program without such a group of its own has
    /// only the count of the whole system, which can say `false` but not `true`.
    #[must_use]
    pub fn oom_killed(&self) -> Option<bool> {
        self.first().end.by_oom_killer
    }

    /// The last lines that the worker, or what it has started, wrote to stderr: 20 lines and 64 KiB at most. `None`
    /// unless the context has
    /// [`keep_stderr`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.keep_stderr).
    #[must_use]
    pub fn stderr(&self) -> Option<&str> {
        self.first().last_lines()
    }

    /// How many workers the error tells of; never 0.
    #[must_use]
    pub fn count(&self) -> usize {
        self.deaths.len() + self.unnamed
    }
}

impl fmt::Display for BrokenWorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if f.alternate() { "\n" } else { "; " };
        if self.count() > 1 {
            write!(f, "{} workers did not end cleanly:", self.count())?;
            f.write_str(if f.alternate() { "\n" } else { " " })?;
        }
        for (i, death) in self.deaths.iter().enumerate() {
            if i > 0 {
                f.write_str(between)?;
            }
            death.fmt(f)?;
        }
        if self.unnamed > 0 {
            write!(f, "{between}and {} more", self.unnamed)?;
        }
        Ok(())
    }
}

impl std::error::Error for BrokenWorkerError {}
