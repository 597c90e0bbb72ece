//! The kinds of worker.
#![allow(unsafe_code)]

use super::fork::Fork;
use super::fork_server::ForkServer;
use super::launcher::Launcher;
use super::settings::Settings;
use super::spawn::Spawn;

/// How the workers of a context come to be.
///
/// # Platform-specific behaviour
///
/// `Spawn` is meant for every platform, the others for Unix. So far offproc is built and tested on Linux.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerType {
    /// A new process of the program's executable. About a millisecond each, whatever the memory of
    /// the program.
    #[default]
    Spawn,
    /// A helper process, one for the context and started like a `Spawn` worker, forks each worker, one of them ahead of
    /// need. Several times faster than `Spawn`, and what the helper has
    /// [preloaded](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.preload) is in every
    /// worker, shared until it is written to.
    ForkServer,
    /// The program itself is forked: see [`fork`](Self::fork).
    #[doc(hidden)]
    Fork(Experiment),
}

/// Only [`WorkerType::fork`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experiment(());

impl WorkerType {
    /// Workers are forks of the program itself, with all its memory as it was at that moment. For
    /// experiments: their start costs time in proportion to that memory, and they keep its pages alive.
    ///
    /// They end without the work that `atexit` has gathered, which is the program's, and cannot start workers
    /// themselves.
    ///
    /// # Safety
    ///
    /// A fork has one thread, in a memory that the others left behind in the middle of something. Locks that another
    /// thread held then stay locked for ever; data it was changing stays half changed. The caller promises that no
    /// job, nor `init` or `retire`, depends on such a lock or such data: in a process with other threads (every async
    /// runtime has some) that is only true of code that uses nothing global beyond the allocator, whose locks the C
    /// libraries of glibc and musl repair.
    #[must_use]
    pub const unsafe fn fork() -> Self {
        Self::Fork(Experiment(()))
    }

    /// What starts such workers.
    #[must_use]
    pub fn launcher(self, settings: &Settings) -> Box<dyn Launcher> {
        match self {
            Self::Spawn => Box::new(Spawn),
            Self::ForkServer => Box::new(ForkServer::new(settings.clone())),
            // SAFETY: whoever made this value has promised what is asked of them.
            Self::Fork(Experiment(())) => Box::new(unsafe { Fork::new() }),
        }
    }
}
