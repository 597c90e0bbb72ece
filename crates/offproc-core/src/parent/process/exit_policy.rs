//! Which ends of a process are reported, and as which kind.

use super::exit::ExitKind;
use crate::error::Phase;
use crate::error::exit_info::ExitInfo;

/// Why the parent kills a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KillReason {
    /// Its holder does not need it any more.
    Discarded,
    /// It has answered with a panic, and is about to abort.
    AbortPanic,
    /// It violated the protocol.
    Violation,
    /// It did not leave within its grace period.
    Overdue,
    /// Its context is killed.
    WithContext,
}

/// What the parent has done to a process, and what follows from that for the report of its end.
#[derive(Debug, Default)]
pub(super) struct ExitPolicy {
    /// SIGKILL was sent, or will be as soon as the process arrives.
    is_killed: bool,
    /// Its holder has dropped it: it neither waits for an answer, nor reports what it finds.
    is_discarded: bool,
    is_killed_with_context: bool,
    /// [`KillReason::AbortPanic`] or [`KillReason::Violation`]: its exit counts as that, not as a kill.
    killed_for: Option<KillReason>,
    is_reported: bool,
}

impl ExitPolicy {
    /// The parent kills it. Call this before the signal is sent, so that a thread which sees the end sees this. Of its
    /// holder and its context, the one that kills it first decides who reports it.
    pub(super) fn kill(&mut self, reason: KillReason) {
        self.is_killed = true;
        match reason {
            KillReason::Discarded => self.is_discarded |= !self.is_killed_with_context,
            KillReason::AbortPanic | KillReason::Violation => {
                self.is_discarded = true;
                self.killed_for.get_or_insert(reason);
            }
            KillReason::Overdue => {}
            KillReason::WithContext => self.is_killed_with_context |= !self.is_discarded,
        }
    }

    pub(super) fn is_killed(&self) -> bool {
        self.is_killed
    }

    /// True if it has ended by the parent's SIGKILL.
    pub(super) fn is_by_us(&self, exit: Option<&ExitInfo>) -> bool {
        self.is_killed && exit.is_none_or(ExitInfo::is_by_kill)
    }

    /// True if it has ended by the kill of its context.
    pub(super) fn is_by_context(&self, exit: &ExitInfo) -> bool {
        self.is_killed_with_context && exit.is_by_kill()
    }

    /// Whether to report its end to its context now: an unclean one, once, unless a call waits for the worker's answer
    /// (then the call reports it), or its holder has killed it. A worker that is killed because it is overdue, or with
    /// its context, is reported like one that dies by itself.
    pub(super) fn reports(&mut self, phase: Phase, exit: &ExitInfo) -> bool {
        let has_no_call = phase.has_no_caller() || self.is_by_context(exit);
        let reports = has_no_call && !exit.is_clean() && !self.is_discarded && !self.is_reported;
        self.is_reported |= reports;
        reports
    }

    /// The kind of its exit; `None` if only the holder of the worker knows it, which will ask for it or drop the
    /// worker. The holder of one that is leaving has asked it to.
    pub(super) fn kind(&self, phase: Phase, exit: &ExitInfo, is_leaving: bool) -> Option<ExitKind> {
        let has_holder = !self.is_discarded && !is_leaving;
        Some(match (self.killed_for, phase) {
            (Some(KillReason::AbortPanic), _) => ExitKind::Retired,
            (Some(_), _) => ExitKind::Crashed,
            (None, _) if self.is_killed && exit.is_by_kill() => ExitKind::Killed,
            // Whether it had taken the job, and what that was.
            (None, Phase::Job) if has_holder => return None,
            // Whether it was to retire.
            (None, Phase::Retire) if has_holder && exit.is_clean() => return None,
            (None, _) if !exit.is_clean() => ExitKind::Crashed,
            (None, Phase::Idle) => ExitKind::Idle,
            (None, _) => ExitKind::Retired,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn exit(status: i32) -> ExitInfo {
        ExitInfo { status: Some(ExitStatus::from_raw(status)), ..ExitInfo::default() }
    }

    fn after(kills: &[KillReason]) -> ExitPolicy {
        let mut policy = ExitPolicy::default();
        kills.iter().for_each(|reason| policy.kill(*reason));
        policy
    }

    const KILL: i32 = libc::SIGKILL;
    const FAILURE: i32 = 1 << 8;

    #[test]
    fn an_unclean_end_without_a_call_is_reported_once() {
        for phase in [Phase::Idle, Phase::Retire, Phase::Shutdown] {
            let mut policy = after(&[]);
            assert!(policy.reports(phase, &exit(FAILURE)));
            assert!(!policy.reports(phase, &exit(FAILURE)), "a second time");
            assert!(!after(&[]).reports(phase, &exit(0)), "a clean one");
        }
        for phase in [Phase::Start, Phase::Init, Phase::State, Phase::Sandbox, Phase::Job] {
            assert!(!after(&[]).reports(phase, &exit(FAILURE)), "the call reports it");
        }
    }

    #[test]
    fn a_kill_is_reported_where_the_holder_has_not_asked_for_it() {
        use KillReason::{AbortPanic, Discarded, Overdue, Violation, WithContext};
        for reason in [Discarded, AbortPanic, Violation] {
            assert!(!after(&[reason]).reports(Phase::Idle, &exit(KILL)));
            assert!(!after(&[Overdue, reason]).reports(Phase::Idle, &exit(KILL)), "its holder has dropped it since");
        }
        assert!(after(&[Overdue]).reports(Phase::Shutdown, &exit(KILL)));
        assert!(after(&[WithContext]).reports(Phase::Job, &exit(KILL)), "a call waits, and yet the context reports it");
        assert!(after(&[WithContext, Discarded]).reports(Phase::Job, &exit(KILL)), "its context was first");
        let mut policy = after(&[Discarded, WithContext]);
        assert!(!policy.reports(Phase::Job, &exit(KILL)) && !policy.is_by_context(&exit(KILL)), "its holder was first");
        assert!(!after(&[WithContext]).reports(Phase::Job, &exit(FAILURE)), "its job has killed it before");
        assert!(!after(&[Overdue]).is_by_us(Some(&exit(FAILURE))), "it has ended by itself before");
    }

    #[test]
    fn an_exit_is_what_the_parent_did_or_else_what_the_worker_did() {
        use ExitKind::{Crashed, Idle, Killed, Retired};
        use KillReason::{AbortPanic, Discarded, Violation};
        let kind = |kills: &[_], phase, status| after(kills).kind(phase, &exit(status), false);
        assert_eq!(kind(&[], Phase::Idle, 0), Some(Idle));
        assert_eq!(kind(&[], Phase::Shutdown, 0), Some(Retired));
        assert_eq!(kind(&[], Phase::Idle, FAILURE), Some(Crashed));
        assert_eq!(kind(&[], Phase::Idle, KILL), Some(Crashed), "by another process");
        assert_eq!(kind(&[Discarded], Phase::Idle, KILL), Some(Killed));
        assert_eq!(kind(&[Discarded], Phase::Job, FAILURE), Some(Crashed), "before the kill");
        assert_eq!(kind(&[AbortPanic, Discarded], Phase::Idle, libc::SIGABRT), Some(Retired));
        assert_eq!(kind(&[Violation, Discarded], Phase::Job, KILL), Some(Crashed));
        assert_eq!(kind(&[], Phase::Job, FAILURE), None, "its holder knows");
        assert_eq!(kind(&[], Phase::Retire, 0), None, "its holder knows");
        assert_eq!(after(&[]).kind(Phase::Retire, &exit(0), true), Some(Retired), "it was asked to leave");
        assert_eq!(kind(&[], Phase::Retire, FAILURE), Some(Crashed));
    }
}
