//! Settings of a context.

use crate::context::WorkerContext;
use crate::limits::Limits;
use offproc_core::{Host, Launcher, Resource, Runtime, Settings, Signals, Transport, WorkerType};
use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A setting that cannot work.
#[derive(Clone, Debug)]
pub struct ConfigError(pub(crate) String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Builds a [`WorkerContext`].
///
/// Settings are checked by [`open`](Self::open), not before.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `open` is called"]
pub struct WorkerContextBuilder {
    pub(crate) settings: Settings,
    pub(crate) grace_period: Duration,
    pub(crate) worker_type: WorkerType,
    pub(crate) spare_workers: usize,
    pub(crate) limits: Option<Limits>,
    pub(crate) runtime: Option<Arc<dyn Runtime>>,
}

impl Default for WorkerContextBuilder {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            grace_period: Duration::from_secs(30),
            worker_type: WorkerType::default(),
            spare_workers: 0,
            limits: None,
            runtime: None,
        }
    }
}

impl WorkerContextBuilder {
    /// How long a worker stays without a job before it ends itself; 600 s by default. [`Duration::MAX`]: for ever.
    /// [`Duration::ZERO`]: it leaves after each job, unless the next one is there already.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// A function that is run once in each worker before its first job. What it sets up stays for all the jobs of
    /// that worker.
    ///
    /// If it panics, the call that needed the worker gets [`Error::Panicked`](crate::Error::Panicked); if it kills the
    /// worker, [`Error::BrokenWorker`](crate::Error::BrokenWorker). After repeated failures the context waits a
    /// little, up to a second, before it tries again.
    pub fn init(mut self, init: fn()) -> Self {
        self.settings.init = Some(init);
        self
    }

    /// A function that is run once in each worker, after its surroundings were changed and after [`init`](Self::init),
    /// as the last thing before its first job: to give up what jobs are not to have. Linux's landlock and seccomp are
    /// what it is for.
    ///
    /// What offproc itself needs after it is told in the
    /// [reference](https://github.com/offproc/offproc/blob/main/docs/reference.md#sandboxes). If it panics or kills the
    /// worker, that is told as with [`init`](Self::init), in the phase
    /// [`Phase::Sandbox`](crate::Phase::Sandbox): no job ever runs without it.
    pub fn sandbox(mut self, sandbox: fn()) -> Self {
        self.settings.sandbox = Some(sandbox);
        self
    }

    /// A function that is run in the worker after each job; `true` retires the worker.
    ///
    /// The caller has its result by then, and the next call gets another worker. If the function panics, the worker
    /// ends, with the message on stderr, and [`close`](WorkerContext::close) reports it.
    pub fn retire(mut self, retire: fn() -> bool) -> Self {
        self.settings.retire = Some(retire);
        self
    }

    /// Retires each worker after a number of jobs that it draws from this range, so that workers started together do
    /// not all retire together. `1..=1` is for workers that serve once.
    ///
    /// This and the other policies of retirement add up: a worker retires as soon as one of them says so.
    pub fn retire_after_jobs(mut self, jobs: RangeInclusive<u64>) -> Self {
        self.settings.retire_after_jobs = Some(jobs);
        self
    }

    /// Retires a worker after the first job that ends at this age or later, counted from when it was ready.
    pub fn retire_after_age(mut self, age: Duration) -> Self {
        self.settings.retire_after_age = Some(age);
        self
    }

    /// Retires a worker after a job that leaves it with more resident memory than this, in bytes. Without `/proc`, the
    /// largest resident memory it ever had counts.
    pub fn retire_above_memory(mut self, bytes: u64) -> Self {
        self.settings.retire_above_memory = Some(bytes);
        self
    }

    /// How many workers are started ahead of need and kept idle; 0 by default. A call then finds a worker even when
    /// the one before it has just retired. They start with the first call, and each call makes up for
    /// those that are missing.
    pub fn spare_workers(mut self, count: usize) -> Self {
        self.spare_workers = count;
        self
    }

    /// How workers come to be; [`WorkerType::Spawn`] by default. [`WorkerType`] tells which are there on which
    /// platform.
    pub fn worker_type(mut self, worker_type: WorkerType) -> Self {
        self.worker_type = worker_type;
        self
    }

    /// For [`WorkerType::ForkServer`]: a function that the helper runs once, before it forks the first worker. What it
    /// leaves in memory is in every worker of the context, shared until it is written to. For other types of worker it
    /// is not run.
    ///
    /// It must leave no thread behind: the call that needed the worker then gets
    /// [`Error::Spawn`](crate::Error::Spawn), as it does when `preload` panics.
    pub fn preload(mut self, preload: fn()) -> Self {
        self.settings.preload = Some(preload);
        self
    }

    /// Which signals reach workers; [`Signals::Inherit`] by default.
    pub fn signals(mut self, signals: Signals) -> Self {
        self.settings.signals = signals;
        self
    }

    /// Whether what a job has itself started, other processes, ends with its worker; `false` by default.
    ///
    /// With `true`, each worker leads a process group of its own, and the group is killed with SIGKILL when the worker
    /// has ended: killed for a dropped call, for a limit, or at the end of its grace; crashed; or left by itself, idle
    /// or retired. When the program ends, by whatever road, the kernel kills the whole group.
    ///
    /// A process that makes a group or a session of its own (a daemon, a shell with job control) has left the
    /// worker's, and lives on. As with [`Signals::OwnGroup`], what a terminal sends to the program's group does not
    /// reach workers and what they start: neither Ctrl+C nor Ctrl+Z; and where the terminal is set to `tostop`, what
    /// they print stops them.
    ///
    /// # Platform-specific behaviour
    ///
    /// From Linux 6.9 on, the group is sent the signal together with the worker; before, when the worker is reaped, a
    /// moment later.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::WorkerContext;
    /// use std::process::Command;
    /// use std::time::Duration;
    ///
    /// let context = WorkerContext::builder().kill_tree(true).open()?;
    /// let convert = |()| Command::new("sleep").arg("1000").status().is_ok_and(|status| status.success());
    /// let late = context.run_sync(convert, ()).time_limit(Duration::from_millis(50)).await;
    /// assert!(matches!(late, Err(offproc::Error::TimedOut))); // and `sleep` is gone, too
    /// # context.close().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn kill_tree(mut self, kill: bool) -> Self {
        self.settings.kill_tree = kill;
        self
    }

    /// Whether the last lines that a worker wrote to stderr are kept for the report of its death,
    /// [`BrokenWorkerError::stderr`](crate::BrokenWorkerError::stderr); `false` by default. It reaches the program's stderr
    /// all the same.
    ///
    /// With `true`, a worker's stderr is a pipe, which a thread of the program reads and writes on: programs that look see no
    /// terminal there (and may leave out colours), and the order of what different processes print is not kept to the
    /// line. The pipe is one descriptor for each worker. What a process that outlives the program writes there is lost.
    pub fn keep_stderr(mut self, keep: bool) -> Self {
        self.settings.keep_stderr = keep;
        self
    }

    /// Whether the report of a worker's death tells what its signal was about, in
    /// [`BrokenWorkerError::fault`](crate::BrokenWorkerError::fault): the address of a bad access, the system call that a
    /// filter refused, or who sent the signal; `false` by default.
    ///
    /// No system tells the parent that. With `true`, workers have handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and
    /// SIGSYS, which pass it on; the worker then dies of the signal as ever, core dump included. What `init` or a job
    /// installs for these signals comes first.
    pub fn fault_details(mut self, tell: bool) -> Self {
        self.settings.fault_details = tell;
        self
    }

    /// Sets an environment variable in workers.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.settings.environment.push((name.into(), Some(value.into())));
        self
    }

    /// Removes an environment variable in workers.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.settings.environment.push((name.into(), None));
        self
    }

    /// The working directory of workers; that of the program by default. One that does not exist when a worker starts
    /// is an [`Error::Spawn`](crate::Error::Spawn), as is anything of this kind that the system refuses.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.settings.directory = Some(directory.into());
        self
    }

    /// The niceness of workers, from -20 to 19: the higher, the more they let others go first. The program's by default;
    /// a lower one than that needs privileges.
    pub fn nice(mut self, nice: i32) -> Self {
        self.settings.nice = Some(nice);
        self
    }

    /// The CPUs that workers may run on, by number; those of the program by default.
    ///
    /// # Platform-specific behaviour
    ///
    /// Linux only. Elsewhere a worker cannot be started with it: [`Error::Spawn`](crate::Error::Spawn).
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.settings.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// How long a worker looks for its next job before it sleeps, at most; 50 us by default. [`Duration::ZERO`]:
    /// neither workers nor calls look before they sleep.
    ///
    /// Looking makes a call that follows another many times cheaper: nobody has to be woken. It is polite (a process
    /// that waits for the CPU gets it) and finds out by itself how long it pays. The stream transport does without.
    pub fn spin(mut self, most: Duration) -> Self {
        self.settings.spin = most;
        self
    }

    /// How jobs and answers travel; through shared memory by default, where there is some.
    ///
    /// # Platform-specific behaviour
    ///
    /// Only Linux has [`Transport::SharedMemory`]; elsewhere, and with a limit on
    /// [`Resource::FileSize`](crate::Resource::FileSize), it means [`Transport::Stream`].
    pub fn transport(mut self, transport: Transport) -> Self {
        self.settings.transport = transport;
        self
    }

    /// The [time limit](crate::RunSync::time_limit) of calls that set none; none by default.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limits.get_or_insert_default().time = Some(limit);
        self
    }

    /// The [CPU time limit](crate::RunSync::cpu_limit) of calls that set none; none by default.
    pub fn cpu_limit(mut self, limit: Duration) -> Self {
        self.limits.get_or_insert_default().cpu = Some(limit);
        self
    }

    /// The [memory limit](crate::RunSync::memory_limit) of calls that set none, in bytes; none by default.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.limits.get_or_insert_default().memory = Some(bytes);
        self
    }

    /// The [soft time limit](crate::RunSync::soft_time_limit) of calls that set none; none by default.
    pub fn soft_time_limit(mut self, limit: Duration) -> Self {
        self.limits.get_or_insert_default().soft_time = Some(limit);
        self
    }

    /// The [soft CPU time limit](crate::RunSync::soft_cpu_limit) of calls that set none; none by default.
    pub fn soft_cpu_limit(mut self, limit: Duration) -> Self {
        self.limits.get_or_insert_default().soft_cpu = Some(limit);
        self
    }

    /// The [soft memory limit](crate::RunSync::soft_memory_limit) of calls that set none, in bytes; none by default.
    pub fn soft_memory_limit(mut self, bytes: u64) -> Self {
        self.limits.get_or_insert_default().soft_memory = Some(bytes);
        self
    }

    /// Limits a resource for each worker, softly and hard; never above what the program itself may have.
    pub fn resource_limit(mut self, resource: Resource, most: u64) -> Self {
        self.settings.limits.push((resource, most));
        self
    }

    /// How long [`close`](WorkerContext::close) waits for workers before it kills them; 30 s by default.
    /// [`Duration::MAX`]: for ever.
    pub fn grace_period(mut self, period: Duration) -> Self {
        self.grace_period = period;
        self
    }

    /// How long a worker may take until it is ready for its first job, its [`init`](Self::init) function included;
    /// 60 s by default. A worker that takes longer is killed, and the call gets [`Error::Spawn`](crate::Error::Spawn).
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.settings.start_timeout = timeout;
        self
    }

    /// The largest argument or result, in serialised bytes; 1 GiB by default, at least 1 KiB. A larger one is an
    /// [`Error::Encode`](crate::Error::Encode).
    pub fn frame_limit(mut self, bytes: usize) -> Self {
        self.settings.frame_limit = bytes;
        self
    }

    /// Pins the context to one runtime, instead of the one that polls each call. Once that runtime has ended, the
    /// context's calls fail.
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    /// Opens the context. Its workers start when calls need them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: a setting makes no sense, or `init`, `retire` or `preload` is not part of this program's
    /// executable.
    pub fn open(self) -> Result<WorkerContext, ConfigError> {
        self.settings.check().map_err(ConfigError)?;
        Ok(WorkerContext::open(self))
    }

    pub(crate) fn launcher(&self) -> Box<dyn Launcher> {
        self.worker_type.launcher(&self.settings)
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(self.runtime.clone(), crate::runtime::detect)
    }
}
