//! The kinds of worker.
#![allow(unsafe_code)]

use super::launch::forking;
use super::launch::launcher::Launcher;
use super::launch::spawn::Spawn;
use crate::error::ConfigError;
use crate::settings::Settings;
use crate::sys::{fork, fork_server};

/// How the workers of a context are started.
///
/// # Platform-specific behaviour
///
/// `Spawn` is there on every platform. The others are for Unix: elsewhere, a context with one of them is a
/// [`ConfigError`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    /// Checks settings for such workers.
    ///
    /// # Errors
    ///
    /// Which of them cannot work, and why.
    #[doc(hidden)]
    pub fn check(self, settings: &Settings) -> Result<(), ConfigError> {
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
            _ => Ok(()),
        }
    }

    /// The launcher of such workers.
    #[doc(hidden)]
    #[must_use]
    pub fn launcher(self, settings: &Settings) -> Box<dyn Launcher> {
        match self {
            Self::Spawn => Box::new(Spawn),
            Self::ForkServer => forking::of_fork_server(settings),
            // SAFETY: the caller of `fork`, which alone makes this value, has promised what `of_program` requires.
            Self::Fork(Experiment(())) => unsafe { forking::of_program() },
        }
    }
}
