//! The exit of a worker, as its context gets it.

use crate::error::BrokenWorkerError;

/// The end of a worker's process.
#[derive(Debug)]
pub struct WorkerExit {
    /// The process id.
    pub pid: u32,
    /// Its kind.
    pub kind: ExitKind,
    /// The report of a crash.
    pub report: Option<BrokenWorkerError>,
}

/// The kinds of a worker's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// It left by itself, after the idle timeout.
    Idle,
    /// It left by itself after a job, or because the parent asked it to; or it panicked under `panic = "abort"`.
    Retired,
    /// It died by itself, or violated the protocol.
    Crashed,
    /// The parent killed it.
    Killed,
}

/// Called with the end of a process before any thread can see that: with an error, if the exit policy reports it.
pub(crate) type EndHook = Box<dyn FnOnce(Option<BrokenWorkerError>) + Send>;

/// Called with the exit of a worker, once. If its end came during a job, the holder of the worker calls it: only the
/// holder knows what ran, and whether the worker had taken it.
pub(crate) type ExitHook = Box<dyn FnOnce(WorkerExit) + Send>;
