//! A worker's process, as others than the holder of the worker have it.

use super::exit_policy::KillReason;
use super::supervised::Process;
use crate::error::{BrokenWorkerError, Phase};
use crate::sys::usage;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A worker's process: its number, and its end.
#[derive(Clone, Debug)]
pub struct WorkerProcess(Arc<Process>);

impl WorkerProcess {
    pub(crate) fn of(process: Arc<Process>) -> Self {
        Self(process)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// True once it was asked to leave.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.0.is_leaving()
    }

    /// The CPU time it has used, all its threads together; `None` once it has ended.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        self.0.child()?.measure(|child| usage::cpu_time(child.handle()))
    }

    /// Its resident memory, in bytes; `None` once it has ended, and if the system does not report it.
    #[must_use]
    pub fn resident_memory(&self) -> Option<u64> {
        self.0.child()?.measure(|child| usage::resident_memory(child.handle()))
    }

    /// True once it has ended, reaped or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.is_dead()
    }

    /// Its end, if that came after its job, was unclean, and was not reported.
    #[must_use]
    pub fn unreported_end(&self) -> Option<BrokenWorkerError> {
        self.0.unreported_end()
    }

    /// Sends SIGKILL (or the system's equivalent) before it returns.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Sends SIGKILL before it returns, as its context is killed: the `close` of that reports its end.
    pub fn kill_with_context(&self) {
        self.0.kill_for(KillReason::WithContext);
    }

    /// True once it has ended by that.
    #[must_use]
    pub fn was_killed_with_context(&self) -> bool {
        self.0.was_killed_with_context()
    }

    /// Records that it was asked to leave.
    pub(crate) fn set_leaving(&self) {
        self.0.set_leaving();
        self.0.set_phase(Phase::Shutdown);
    }

    /// Waits for its end; kills it past the grace period. Returns an unclean end, also that by the kill.
    pub(crate) async fn wait_or_kill_overdue(&self, grace: impl Future<Output = ()>) -> Option<BrokenWorkerError> {
        self.0.end_within(std::future::ready(()), grace).await;
        self.0.unreported_end()
    }

    /// Blocks until the process has ended; kills it past the deadline. For the end of the program.
    pub fn wait_or_kill(&self, deadline: Instant) {
        const LAST: Duration = Duration::from_secs(1);
        if !self.0.wait_until(deadline) {
            self.0.kill();
            self.0.wait_until(Instant::now() + LAST);
        }
    }
}
