//! Reports of one worker.

#[cfg(feature = "tracing")]
use super::events::Audience;
#[cfg(feature = "metrics")]
use super::metrics::LabelMetrics;
use offproc_core::{ExitKind, WorkerExit};
#[cfg(feature = "metrics")]
use std::sync::Arc;

/// Reports a worker's end, also if its context is gone by then.
#[derive(Debug)]
pub(crate) struct WorkerObserver {
    #[cfg(feature = "tracing")]
    pub(super) audience: Audience,
    #[cfg(feature = "metrics")]
    pub(super) metrics: Arc<LabelMetrics>,
}

impl WorkerObserver {
    /// The worker has ended. `is_closed`: its context was closed before.
    pub(crate) fn exited(self, exit: WorkerExit, is_closed: bool) {
        let reason = match exit.kind {
            ExitKind::Crashed => "crashed",
            ExitKind::Killed => "killed",
            _ if is_closed => "closed",
            ExitKind::Idle => "idle",
            ExitKind::Retired => "retired",
        };
        #[cfg(feature = "metrics")]
        self.metrics.worker_exited(reason);
        #[cfg(feature = "tracing")]
        match exit.kind {
            ExitKind::Idle | ExitKind::Retired => self.audience.worker_retired(exit.pid, reason),
            ExitKind::Crashed => self.audience.worker_crashed(exit.pid, exit.report),
            ExitKind::Killed => self.audience.worker_killed(exit.pid),
        }
        let _ = reason;
    }
}
