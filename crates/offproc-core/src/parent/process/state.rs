//! The parent's state of a process, under one lock.

use super::exit::{EndHook, ExitHook, ExitKind, WorkerExit};
use super::exit_policy::ExitPolicy;
use super::supervision::Supervision;
use crate::error::exit_info::ExitReport;
use crate::error::{BrokenWorkerError, Phase};
use crate::sys::child::Extent;
use crate::sys::lifeline::Cutter;

pub(super) struct ProcessState<P> {
    pub(super) supervision: Supervision<P>,
    pub(super) policy: ExitPolicy,
    pub(super) end_hook: Option<EndHook>,
    pub(super) exit_hook: Option<ExitHook>,
    pub(super) extent: Extent,
    /// Cut if this process has no right to signal that one any more.
    pub(super) lifeline: Option<Cutter>,
    /// How much of the peak memory that the kernel counts for it was the program's.
    pub(super) inherited_memory: u64,
    pub(super) is_leaving: bool,
}

impl<P> ProcessState<P> {
    pub(super) fn new() -> Self {
        Self {
            supervision: Supervision::Announced,
            policy: ExitPolicy::default(),
            end_hook: None,
            exit_hook: None,
            extent: Extent::Process,
            lifeline: None,
            inherited_memory: u64::MAX,
            is_leaving: false,
        }
    }

    /// How it ended, or that it has not.
    pub(super) fn report(&self, pid: u32, phase: Phase) -> BrokenWorkerError {
        let exit = self.supervision.exit().map(|exit| &**exit);
        let by_us = self.policy.is_by_us(exit);
        ExitReport { pid, phase, by_us, exit: exit.cloned().unwrap_or_default() }.into()
    }

    /// Its end, if the exit policy reports it now.
    pub(super) fn take_report(&mut self, pid: u32, phase: Phase) -> Option<BrokenWorkerError> {
        let exit = self.supervision.exit()?;
        self.policy.reports(phase, exit).then(|| self.report(pid, phase))
    }

    /// The hooks to call for the end: none before it is recorded, or before they are installed.
    pub(super) fn take_notices(&mut self, pid: u32, phase: Phase) -> Notices {
        let Some(exit) = self.supervision.exit() else { return Notices { exit: None, end: None } };
        let kind = self.policy.kind(phase, exit, self.is_leaving);
        let exit = kind.and_then(|kind| Some((self.exit_hook.take()?, kind))).map(|(hook, kind)| {
            let report = (kind == ExitKind::Crashed).then(|| self.report(pid, phase));
            (hook, WorkerExit { pid, kind, report })
        });
        let end = self.end_hook.take().map(|hook| (hook, self.take_report(pid, phase)));
        Notices { exit, end }
    }
}

/// The hooks to call for the end, with their arguments.
#[must_use]
pub(super) struct Notices {
    exit: Option<(ExitHook, WorkerExit)>,
    end: Option<(EndHook, Option<BrokenWorkerError>)>,
}

impl Notices {
    /// Calls the hooks: without the lock, as they may call back.
    pub(super) fn send(self) {
        if let Some((hook, exit)) = self.exit {
            hook(exit);
        }
        if let Some((hook, report)) = self.end {
            hook(report);
        }
    }
}
