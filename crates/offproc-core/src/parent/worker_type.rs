//! The kinds of worker.
#![allow(unsafe_code)]

use super::launch::command::{ByCommand, MakeCommand};
use super::launch::forking;
use super::launch::launcher::Launcher;
use super::launch::spawn::Spawn;
use crate::error::ConfigError;
use crate::settings::Settings;
use crate::sys::{command, fork, fork_server};
use std::fmt;
use std::process::Command;
use std::sync::Arc;

/// How the workers of a context are started.
///
/// # Platform-specific behaviour
///
/// `Spawn` is there on every platform. The others are for Unix: elsewhere, a context with one of them is a
/// [`ConfigError`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerType {
    /// A new process of the program's executable. A start takes about a millisecond, however much memory the program
    /// has.
    #[default]
    Spawn,
    /// A fork server, one for the context and started like a `Spawn` worker, forks each worker, one of them ahead of
    /// need. Several times faster than `Spawn`, and every worker has what the fork server has
    /// [preloaded](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.preload), shared
    /// until it is written to.
    ForkServer,
    /// The program itself is forked: see [`fork`](Self::fork).
    #[doc(hidden)]
    Fork(Experiment),
    /// A command starts each worker, for instance on another machine: see [`command`](Self::command).
    #[doc(hidden)]
    Command(Commands),
}

/// Only [`WorkerType::command`] makes one.
#[doc(hidden)]
#[derive(Clone)]
pub struct Commands(MakeCommand);

/// Commands are equal when they are clones of one.
impl PartialEq for Commands {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Commands {}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Commands").finish_non_exhaustive()
    }
}

/// Only [`WorkerType::fork`] makes one.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experiment(());

impl WorkerType {
    /// Workers are forks of the program itself, with all its memory as it was at that moment. For
    /// experiments: their start costs time in proportion to that memory, and they keep its pages alive.
    ///
    /// They end without running `atexit` handlers, which are the program's, and cannot start workers themselves.
    ///
    /// # Safety
    ///
    /// A fork has one thread, and memory that the others were changing. Locks that another thread held stay locked for
    /// ever; data that it was changing stays half changed. The caller promises that no job, nor `init` or `retire`,
    /// depends on such a lock or such data: in a process with other threads (every async runtime has some) that is only
    /// true of code that uses nothing global beyond the allocator, whose locks the C libraries of glibc and musl
    /// repair.
    #[must_use]
    pub const unsafe fn fork() -> Self {
        Self::Fork(Experiment(()))
    }

    /// A command starts each worker: `ssh host program --worker`, `srun -N1 -n1 -u program --worker`, a container, a
    /// sandbox, `valgrind`, or just the program. `make` gets the [index](crate::worker_index) of the worker, so that it
    /// can spread workers over machines. It runs on a thread of offproc's.
    ///
    /// The program that the command starts calls [`serve`](crate::serve), because its command line says so, and is of
    /// the same build. Calls, contexts, limits, kills and errors are as with other workers; what differs is in
    /// [the page on other machines](https://docs.rs/offproc/latest/offproc/guide/cluster/index.html). offproc takes the
    /// command's stdin and stdout, and copies its stderr to the program's; its last lines are in errors.
    ///
    /// A context with such workers needs [`max_concurrency`] or [`limiter`], as the default limiter counts the CPUs of
    /// this machine. `preload`, `after_fork`, `kill_tree`, `fault_details`, `inherit_descriptors` and the forwarding of
    /// logs are [`ConfigError`]s. `env`, `nice` and the like act in the worker, not on the command.
    ///
    /// [`max_concurrency`]: https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.max_concurrency
    /// [`limiter`]: https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.limiter
    ///
    /// # Platform-specific behaviour
    ///
    /// Unix. Elsewhere, a context with it is a [`ConfigError`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use offproc::{WorkerContext, WorkerType};
    /// use std::process::Command;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// if std::env::args().any(|argument| argument == "--worker") {
    ///     offproc::serve();
    /// }
    /// const HOSTS: [&str; 2] = ["alpha", "beta"];
    /// let workers = WorkerType::command(|index| {
    ///     let mut command = Command::new("ssh");
    ///     command.args([HOSTS[index % HOSTS.len()], "bin/program", "--worker"]);
    ///     command
    /// });
    /// let context = WorkerContext::builder().worker_type(workers).max_concurrency(16).open()?;
    /// let sum = context.run_sync(|numbers: Vec<u64>| numbers.iter().sum::<u64>(), vec![1, 2, 3]).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn command(make: impl Fn(usize) -> Command + Send + Sync + 'static) -> Self {
        Self::Command(Commands(Arc::new(make)))
    }

    /// Whether commands start the workers.
    #[doc(hidden)]
    #[must_use]
    pub fn is_command(&self) -> bool {
        matches!(self, Self::Command(_))
    }

    /// Checks settings for such workers.
    ///
    /// # Errors
    ///
    /// Which of them cannot work, and why.
    #[doc(hidden)]
    pub fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        match self {
            Self::ForkServer if !fork_server::IS_SUPPORTED => {
                Err(ConfigError::new("this system has no `WorkerType::ForkServer`; use `WorkerType::Spawn`"))
            }
            Self::Fork(_) if !fork::IS_SUPPORTED => {
                Err(ConfigError::new("this system has no `WorkerType::fork`; use `WorkerType::Spawn`"))
            }
            Self::Spawn if settings.start.after_fork.is_some() => Err(ConfigError::new(
                "`after_fork` is for workers that are forked, and those of `WorkerType::Spawn` are not; use \
                     `init`, or `WorkerType::ForkServer`",
            )),
            Self::Fork(_) if settings.surroundings.inherit_descriptors => Err(ConfigError::new(
                "`inherit_descriptors` is for `WorkerType::Spawn` and `ForkServer`: a fork of the program has all \
                     its descriptors, and closes them",
            )),
            Self::Command(_) => check_for_command(settings),
            _ if settings.transport.connect_back.is_some() => {
                Err(ConfigError::new("`connect_back` is for workers of `WorkerType::command`"))
            }
            _ => Ok(()),
        }
    }

    /// The launcher of such workers.
    #[doc(hidden)]
    #[must_use]
    pub fn launcher(&self, settings: &Settings) -> Box<dyn Launcher> {
        match self {
            Self::Spawn => Box::new(Spawn),
            Self::Command(Commands(make)) => Box::new(ByCommand::new(Arc::clone(make))),
            Self::ForkServer => forking::of_fork_server(settings),
            // SAFETY: the caller of `fork`, which alone makes this value, has promised what `of_program` requires.
            Self::Fork(Experiment(())) => unsafe { forking::of_program() },
        }
    }
}

/// Which settings cannot act in a worker behind a command.
fn check_for_command(settings: &Settings) -> Result<(), ConfigError> {
    if !command::IS_SUPPORTED {
        return Err(ConfigError::new("this system has no `WorkerType::command` so far; use `WorkerType::Spawn`"));
    }
    let cannot = [
        (settings.start.preload.is_some(), "preload", "nothing is forked there"),
        (settings.start.after_fork.is_some(), "after_fork", "nothing is forked there"),
        (settings.shutdown.kill_tree, "kill_tree", "it may be on another machine, where the program kills nothing"),
        (settings.surroundings.inherit_descriptors, "inherit_descriptors", "it may be on another machine"),
        (settings.diagnostics.fault_details, "fault_details", "they do not travel so far"),
    ];
    match cannot.iter().find(|(is_set, ..)| *is_set) {
        Some((_, name, why)) => {
            Err(ConfigError::new(format!("`{name}` is not for workers of `WorkerType::command`: {why}")))
        }
        None if settings.transport.connect_back.is_some_and(|address| address.ip().is_unspecified()) => Err(
            ConfigError::new("`connect_back` needs an address of this machine that workers can reach, not all of them"),
        ),
        None if settings.transport.heartbeat.is_zero() => Err(ConfigError::new("a heartbeat of zero never pauses")),
        None => Ok(()),
    }
}
