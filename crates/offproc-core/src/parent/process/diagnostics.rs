//! The exit diagnostics of a worker, for the report of its death.

use super::stderr_tee::Tee;
use crate::error::Fault;
use crate::error::exit_info::ExitInfo;
use crate::parent::logs::open_pipes::WriterEnd;
use crate::settings::Settings;
use crate::sys::fork_registry::TrackedGift;
use crate::sys::lifeline::ParentEnd;
use crate::sys::oom::Before;
use crate::sys::status;
use std::io;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct ExitDiagnostics {
    faults: Option<ParentEnd>,
    stderr: Option<Arc<Tee>>,
    before: Option<Before>,
    logs: Option<Arc<WriterEnd>>,
}

impl ExitDiagnostics {
    /// For a worker with this lifeline; returns also the descriptor for the worker's stderr.
    pub(crate) fn new(settings: &Settings, lifeline: &ParentEnd) -> io::Result<(Self, Option<TrackedGift>)> {
        let (stderr, theirs) = if settings.diagnostics.keep_stderr { Some(Tee::open()?) } else { None }.unzip();
        let faults = settings.diagnostics.fault_details.then(|| lifeline.clone());
        Ok((Self { faults, stderr, before: Before::now(), logs: None }, theirs))
    }

    /// For a worker behind a command: what the command has last written to stderr is all that may explain its end.
    pub(crate) fn with_stderr() -> io::Result<(Self, TrackedGift)> {
        let (stderr, theirs) = Tee::open()?;
        Ok((Self { stderr: Some(stderr), ..Self::default() }, theirs))
    }

    /// Also signals the end of the process to the readers of its log.
    pub(crate) fn note_end_for(&mut self, logs: Arc<WriterEnd>) {
        self.logs = Some(logs);
    }

    /// Adds the diagnostics to an exit; `our`: the parent killed it.
    pub(crate) fn complete(&self, pid: u32, our: bool, exit: &mut ExitInfo) {
        let signal = exit.status.and_then(status::signal);
        let record = self.faults.as_ref().and_then(|line| line.fault(pid));
        exit.fault = record.filter(|record| Some(record.signal) == signal).map(Fault);
        let is_unreported = record.is_none() && self.faults.is_some() && exit.status.is_some_and(status::is_bad_access);
        exit.is_unreported_fault = is_unreported;
        exit.by_oom_killer = match exit.status {
            Some(ended) if status::is_kill(ended) && !our => self.before.as_ref().and_then(Before::has_killed_since),
            Some(_) => Some(false),
            None => None,
        };
        self.logs.iter().for_each(|logs| logs.note());
        exit.stderr = self.stderr.as_ref().map(Tee::tail);
    }
}
