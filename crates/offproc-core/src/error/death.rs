//! All that offproc knows of the end of one worker.

use super::bytes::Bytes;
use super::exit_info::{ExitInfo, ExitReport};
use super::function::Function;
use super::phase::Phase;
use crate::role::EXIT_REFUSED;
use crate::sys::status;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A worker's end, and what it was doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Death {
    pub(crate) pid: u32,
    pub(crate) phase: Phase,
    /// The protocol violation that offproc killed it for.
    pub(crate) violation: Option<String>,
    pub(crate) task: Option<Function>,
    pub(crate) ran_for: Option<Duration>,
    /// Whether offproc killed it.
    pub(crate) by_us: bool,
    pub(crate) exit: ExitInfo,
}

impl From<ExitReport> for Death {
    fn from(ExitReport { pid, phase, by_us, exit }: ExitReport) -> Self {
        let pid = exit.remote.as_ref().and_then(|remote| remote.pid).unwrap_or(pid);
        Self { pid, phase, violation: None, task: None, ran_for: None, by_us, exit }
    }
}

impl Death {
    fn is_of_job(&self) -> bool {
        self.phase == Phase::Job
    }

    /// The last lines of its stderr.
    pub(crate) fn last_lines(&self) -> Option<&str> {
        const MOST: usize = 20;
        let text = self.exit.stderr.as_deref()?;
        let lines = text.strip_suffix('\n').unwrap_or(text);
        let from = lines.rmatch_indices('\n').nth(MOST - 1).map_or(0, |(at, _)| at + 1);
        Some(&text[from..])
    }

    fn how(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.violation, self.exit.status) {
            (Some(violation), _) => {
                write!(f, "was killed after a protocol violation ({violation})")?;
            }
            (None, status) if self.exit.remote.is_some() => {
                return self.exit.remote.iter().try_for_each(|remote| remote.how(self.by_us, status, f));
            }
            (None, Some(status)) => status::describe(status, f)?,
            (None, None) => f.write_str("ended in an unknown way")?,
        }
        if let Some(fault) = self.exit.fault {
            write!(f, " ({fault})")?;
        }
        if self.exit.is_unreported_fault {
            f.write_str(" (the stack of a thread has overflowed, or the job has changed the handler of the signal)")?;
        }
        if self.exit.by_oom_killer == Some(true) {
            f.write_str(", sent by the kernel's OOM killer,")?;
        } else if self.by_us && self.violation.is_none() {
            f.write_str(", sent by offproc,")?;
        }
        Ok(())
    }

    /// The likely causes of an end before any function of the context began.
    fn why_so_early(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exit.remote.is_some() {
            // Only the command's own words say it.
            return match self.last_lines() {
                Some(stderr) if self.phase == Phase::Start && !stderr.trim().is_empty() => {
                    write!(f, "; the end of its stderr: {}", stderr.trim().replace('\n', " | "))
                }
                _ => Ok(()),
            };
        }
        let status = self.exit.status;
        let name = &self.exit.program.get().name;
        let Some(status) = status else { return Ok(()) };
        match status.code() {
            _ if self.phase != Phase::Start || self.violation.is_some() || self.exit.by_oom_killer == Some(true) => {
                Ok(())
            }
            Some(EXIT_REFUSED) => {
                f.write_str("; it refused to serve, and its reason was not received, or is on its stderr")
            }
            Some(127) => write!(f, "; the dynamic loader did not find a library or symbol that {name} needs"),
            _ if status::is_bad_system_call(status) => {
                f.write_str("; a seccomp filter forbids a system call that it needs")
            }
            _ if status::is_kill(status) => Ok(()),
            _ => {
                write!(f, "; a constructor of {name} or of one of its libraries has ended it")?;
                if let Some(preload) = &self.exit.program.get().preload {
                    write!(f, " (LD_PRELOAD adds {preload})")?;
                }
                f.write_str(", or a resource limit was too low for it")
            }
        }
    }

    /// Everything, in lines of their own.
    fn report(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} ", self.pid)?;
        self.how(f)?;
        write!(f, " {}", self.phase)?;
        self.why_so_early(f)?;
        self.details(f)
    }

    /// Whether there is more to it than one line.
    pub(crate) fn has_details(&self) -> bool {
        self.task.is_some() || self.ran_for.is_some() || self.exit.status.is_some()
    }

    /// The lines of the report after the first.
    pub(crate) fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.task {
            match (task.name(), task.offset()) {
                (Some(name), _) => write!(f, "\n  function     {name}")?,
                (None, Some(offset)) => write!(f, "\n  function     at {offset:#x} of the executable")?,
                (None, None) => {}
            }
            write!(f, "\n  type         {}", task.type_name)?;
            if let Some(caller) = &task.caller {
                write!(f, "\n  called at    {caller}")?;
            }
        }
        if let Some(ran_for) = self.ran_for {
            write!(f, "\n  ran for      {ran_for:.2?}")?;
        }
        if let Some(usage) = &self.exit.usage {
            write!(f, "\n  CPU time     {} user, {} system", brief(usage.user), brief(usage.system))?;
        }
        if let Some(memory) = self.exit.peak_memory {
            write!(f, "\n  peak memory  {}", Bytes(memory))?;
        }
        if self.exit.status.is_some_and(status::is_kill) {
            f.write_str(match self.exit.by_oom_killer {
                _ if self.by_us => "\n  killed by    offproc",
                Some(true) => "\n  killed by    the kernel's out-of-memory killer",
                Some(false) => "\n  killed by    a process, not by the kernel's out-of-memory killer",
                None => "\n  killed by    a process, or the kernel's out-of-memory killer",
            })?;
        }
        if let Some(stderr) = self.last_lines() {
            f.write_str("\n  stderr")?;
            for line in stderr.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.report(f);
        }
        write!(f, "worker {} ", self.pid)?;
        self.how(f)?;
        match self.task.as_ref().and_then(Function::name) {
            Some(name) if self.is_of_job() => write!(f, " while it ran {name}")?,
            _ => write!(f, " {}", self.phase)?,
        }
        self.why_so_early(f)?;
        match self.ran_for {
            Some(ran_for) => write!(f, " (for {ran_for:.2?})"),
            None => Ok(()),
        }
    }
}

/// With two digits, and no "0.00ns".
fn brief(time: Duration) -> String {
    if time.is_zero() { "0 s".to_owned() } else { format!("{time:.2?}") }
}
