//! How a worker has ended, as far as its holder knows more than its process: what ran, and what its channel has said.

use super::{Outcome, Worker};
use crate::error::exit_info::ExitInfo;
use crate::error::{BrokenWorkerError, Phase};
use crate::job::message::AfterPanic;
use crate::parent::channel::event::{Awaited, ChannelEvent, RetireDecision};
use crate::parent::process::exit::ExitKind;
use crate::parent::process::exit_policy::KillReason;
use crate::sys::fork::is_forked;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Worker {
    #[cold]
    pub(super) fn violated(&self, violation: String) -> Outcome {
        self.broken(self.kill_for_violation(violation))
    }

    #[cold]
    pub(super) fn broken(&self, error: BrokenWorkerError) -> Outcome {
        if !is_forked() {
            self.process.0.report_exit(ExitKind::Crashed, Some(error.clone()));
        }
        Outcome::Broken(error)
    }

    /// How the process ended, or that it has not, as an error.
    #[must_use]
    pub fn error(&self) -> BrokenWorkerError {
        let mut error = self.process.0.error();
        let death = error.first_mut();
        if death.phase == Phase::State {
            death.task = self.task.map(Into::into);
        }
        if death.phase == Phase::Job {
            let until = death.exit.at.unwrap_or_else(Instant::now);
            death.task = self.task.map(Into::into);
            // The job was over before the caller first had to wait: shorter than the clock has measured, but not zero.
            const LEAST: Duration = Duration::from_micros(1);
            let since = self.since.unwrap_or(until);
            death.ran_for = Some(until.saturating_duration_since(since).max(LEAST));
        }
        error
    }

    /// Kills the worker after a protocol violation; returns the error for that.
    pub fn kill_for_violation(&self, violation: String) -> BrokenWorkerError {
        self.process.0.kill_for(KillReason::Violation);
        let mut error = self.error();
        error.first_mut().violation = Some(violation);
        error
    }

    /// Corrects the phase of an end that was reported while the worker was in the cache: its `retire` function may have
    /// returned by then.
    pub fn correct_phase(&mut self, error: &mut BrokenWorkerError) {
        if self.standing.decides() && error.phase() == Phase::Retire {
            match self.channel.after_exit(Awaited::Decision) {
                ChannelEvent::Decision(RetireDecision::Stays) => error.first_mut().phase = Phase::Idle,
                ChannelEvent::Decision(RetireDecision::Leaves) => error.first_mut().phase = Phase::Shutdown,
                _ => {}
            }
        }
    }

    /// Reports the exit of a worker that has ended, unless it is reported already.
    pub(super) fn report_exit(&mut self) {
        let process = Arc::clone(&self.process.0);
        if let Some(exit) = process.unreported_exit() {
            let kind = self.exit_kind(&exit);
            process.report_exit(kind, (kind == ExitKind::Crashed).then(|| self.error()));
        }
    }

    /// The kind of the worker's exit, if it was not reported yet.
    fn exit_kind(&mut self, exit: &ExitInfo) -> ExitKind {
        let after_all = if exit.is_clean() { ExitKind::Idle } else { ExitKind::Crashed };
        match self.process.0.phase() {
            Phase::Job if self.has_hung_up => ExitKind::Crashed,
            Phase::Job => match self.channel.after_exit(Awaited::Answer) {
                ChannelEvent::Answer(answer) if answer.after_panic() == AfterPanic::EndsWorker => ExitKind::Retired,
                ChannelEvent::Answer(_) | ChannelEvent::NotTaken => after_all,
                _ => ExitKind::Crashed,
            },
            _ if !exit.is_clean() => ExitKind::Crashed,
            Phase::Retire => match self.channel.after_exit(Awaited::Decision) {
                ChannelEvent::Decision(RetireDecision::Stays) => ExitKind::Idle,
                _ => ExitKind::Retired,
            },
            Phase::Idle => ExitKind::Idle,
            _ => ExitKind::Retired,
        }
    }
}
