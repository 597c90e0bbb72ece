use super::death::Death;
use super::deaths::Deaths;
use super::exit_info::ExitReport;
use super::fault::Fault;
use super::function::Function;
use super::phase::Phase;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

/// One or more worker processes ended that should not have.
///
/// From a call it describes one worker; from [`close`] all that did not end cleanly. Where there are several, the
/// methods describe the first one.
///
/// `{}` prints it in one line, `{:#}` all that is known in several. Its [`source`](std::error::Error::source) prints
/// the lines that `{}` leaves out: so `{:#}` and `{:?}` of an `anyhow::Error` have the whole report, too.
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrokenWorkerError {
    deaths: Deaths,
    unnamed: usize,
    /// How many of the unnamed ones were killed by offproc.
    unnamed_killed: usize,
}

impl From<ExitReport> for BrokenWorkerError {
    fn from(report: ExitReport) -> Self {
        Self::of(report.into())
    }
}

impl BrokenWorkerError {
    pub(crate) fn of(death: Death) -> Self {
        Self { deaths: Deaths::of(death), unnamed: 0, unnamed_killed: 0 }
    }

    #[doc(hidden)]
    pub fn merge(&mut self, other: Self) {
        // Another process may have sent any count.
        self.unnamed = self.unnamed.saturating_add(other.unnamed);
        self.unnamed_killed = self.unnamed_killed.saturating_add(other.unnamed_killed);
        for death in other.deaths {
            if self.deaths.has_room() {
                self.deaths.push(death);
            } else {
                self.unnamed = self.unnamed.saturating_add(1);
                self.unnamed_killed = self.unnamed_killed.saturating_add(usize::from(death.by_us));
            }
        }
    }

    /// The first death, which is always there, for callers that know more of it.
    pub(crate) fn first_mut(&mut self) -> &mut Death {
        self.deaths.first_mut()
    }

    fn first(&self) -> &Death {
        self.deaths.first()
    }

    /// The process id of the worker; of one that a command has started its own, on its machine, where it has sent that,
    /// or else the command's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.first().pid
    }

    /// The command that has started the worker, where that is one of
    /// [`WorkerType::command`](crate::WorkerType::command).
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.first().exit.remote.as_ref().map(|remote| &*remote.command)
    }

    /// The [index](crate::worker_index) of a worker that a command has started.
    #[must_use]
    pub fn worker_index(&self) -> Option<usize> {
        self.first().exit.remote.as_ref()?.index
    }

    /// How the worker ended, where the system has reported it: the exit code, or through
    /// [`ExitStatusExt`](std::os::unix::process::ExitStatusExt) the signal and whether there is a core dump. That of a
    /// worker that a command has started is the command's, which may say anything. `None`
    /// where other code in the program waited for the process first, or where the program ignores SIGCHLD.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.first().exit.status
    }

    /// What the worker was doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.first().phase
    }

    /// The path of the function that the worker ran, the context's `init` function included. `None` where the
    /// executable has no symbols (it was stripped: see [`function_offset`](Self::function_offset)), and where the
    /// worker ran no function.
    ///
    /// A closure may be just `{{closure}}`; [`called_at`](Self::called_at) says which. Where the compiler has merged
    /// functions that do the same, this names all of them.
    ///
    /// The first call in the program reads the executable's table of symbols, which takes milliseconds.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        self.first().task.as_ref().and_then(Function::name)
    }

    /// Where that function is, as an offset from the load address of the executable, for `addr2line -e`.
    #[must_use]
    pub fn function_offset(&self) -> Option<u64> {
        self.first().task.as_ref().and_then(Function::offset)
    }

    /// The type of that function, for instance `fn(u32) -> u64`, as [`type_name`](std::any::type_name) writes it.
    #[must_use]
    pub fn function_type(&self) -> Option<&str> {
        self.first().task.as_ref().map(|task| &*task.type_name)
    }

    /// Where the program called `run_sync` with the job that the worker ran, as `file:line:column`.
    #[must_use]
    pub fn called_at(&self) -> Option<&str> {
        self.first().task.as_ref()?.caller.as_deref()
    }

    /// How long the worker had its job, by the wall clock, from when it was handed over (over shared memory, from when
    /// its caller began to wait, microseconds later). Never zero; `None` where it had no job.
    #[must_use]
    pub fn ran_for(&self) -> Option<Duration> {
        self.first().ran_for
    }

    /// The CPU time that the worker spent in its own code, all its jobs and those of its children that it waited for
    /// included. `None` where [`exit_status`](Self::exit_status) is.
    #[must_use]
    pub fn user_time(&self) -> Option<Duration> {
        self.first().exit.usage.map(|usage| usage.user)
    }

    /// The CPU time that the system spent for it, in the same way.
    #[must_use]
    pub fn system_time(&self) -> Option<Duration> {
        self.first().exit.usage.map(|usage| usage.system)
    }

    /// The largest resident memory, in bytes, that the worker, or one of its children that it waited for, ever had.
    ///
    /// # Platform-specific behaviour
    ///
    /// Linux starts a new process with the peak of the program that started it. So with
    /// [`WorkerType::Spawn`](crate::WorkerType::Spawn) this is `None` for a worker that never had more than the program
    /// itself had before it.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        self.first().exit.peak_memory
    }

    /// The kernel's details of the signal that killed the worker: the address of a fault, or the sender. `None` unless
    /// the context has
    /// [`fault_details`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.fault_details)
    /// and the signal is one of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and SIGSYS.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.first().exit.fault
    }

    /// Whether the worker left a core dump, as the kernel reports it; the system's settings say where.
    #[must_use]
    pub fn core_dumped(&self) -> bool {
        self.exit_status().is_some_and(crate::sys::status::core_dumped)
    }

    /// Whether the kernel's out-of-memory killer killed the worker. `None` where the kernel's counts do not show it.
    ///
    /// # Platform-specific behaviour
    ///
    /// Linux does not report the sender of a SIGKILL, but counts those of its own. `true`: the memory control group of
    /// the program has counted one since the worker was started that no other worker accounts for. `false`: it has not,
    /// or the worker died of something else, or this program killed it. A program without such a group of its own has
    /// only the count of the whole system, which can show `false` but not `true`.
    #[must_use]
    pub fn oom_killed(&self) -> Option<bool> {
        self.first().exit.by_oom_killer
    }

    /// The last lines that the worker, or a process that it has started, wrote to stderr: 20 lines and 64 KiB at most.
    /// `None` unless the context has
    /// [`keep_stderr`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.keep_stderr).
    #[must_use]
    pub fn stderr(&self) -> Option<&str> {
        self.first().last_lines()
    }

    /// How many workers the error describes or counts; never 0.
    #[must_use]
    pub fn count(&self) -> usize {
        self.deaths.len().saturating_add(self.unnamed)
    }

    /// How many of them offproc killed: those that had not left a grace period after the close, and those that
    /// [`close_within`] or [`kill`] ended.
    ///
    /// [`close_within`]: https://docs.rs/offproc/latest/offproc/struct.WorkerContext.html#method.close_within
    /// [`kill`]: https://docs.rs/offproc/latest/offproc/struct.WorkerContext.html#method.kill
    #[must_use]
    pub fn killed(&self) -> usize {
        self.deaths.iter().filter(|death| death.by_us).count().saturating_add(self.unnamed_killed)
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

impl std::error::Error for BrokenWorkerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.deaths.report()
    }
}
