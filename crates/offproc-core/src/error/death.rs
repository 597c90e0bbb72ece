//! What is known of the end of one worker.

use super::fault::Fault;
use super::phase::Phase;
use crate::sys::image::Image;
use crate::sys::reap::Usage;
use crate::sys::{status, symbols};
use std::fmt;
use std::panic::Location;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// A worker's end, and what it was doing.
#[derive(Clone, Debug)]
pub(crate) struct Death {
    pub(crate) pid: u32,
    pub(crate) phase: Phase,
    /// Why it was killed, where it had not kept to the protocol.
    pub(crate) offence: Option<String>,
    pub(crate) task: Option<Task>,
    pub(crate) ran_for: Option<Duration>,
    pub(crate) end: End,
}

/// The end of a process, as far as the system tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    /// When it was seen.
    pub(crate) at: Option<Instant>,
    pub(crate) status: Option<ExitStatus>,
    pub(crate) usage: Option<Usage>,
    /// In bytes.
    pub(crate) peak_memory: Option<u64>,
    pub(crate) fault: Option<Fault>,
    pub(crate) by_oom_killer: Option<bool>,
    /// What is kept of what it has written there.
    pub(crate) stderr: Option<String>,
}

/// The function that a worker was given to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    /// Its address.
    pub(crate) function: usize,
    pub(crate) type_name: &'static str,
    pub(crate) caller: Option<&'static Location<'static>>,
}

impl Task {
    pub(crate) fn offset(self) -> Option<u64> {
        Image::current().offset_of(self.function)
    }

    pub(crate) fn name(self) -> Option<&'static str> {
        self.offset().and_then(symbols::name_at)
    }
}

impl Death {
    fn is_of_job(&self) -> bool {
        self.phase == Phase::Job
    }

    /// The last lines of its stderr.
    pub(crate) fn last_lines(&self) -> Option<&str> {
        const MOST: usize = 20;
        let text = self.end.stderr.as_deref()?;
        let lines = text.strip_suffix('\n').unwrap_or(text);
        let from = lines.rmatch_indices('\n').nth(MOST - 1).map_or(0, |(at, _)| at + 1);
        Some(&text[from..])
    }

    fn how(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.offence, self.end.status) {
            (Some(offence), _) => write!(f, "was killed for not keeping to the protocol ({offence})")?,
            (None, Some(status)) => status::describe(status, f)?,
            (None, None) => f.write_str("ended in an unknown way")?,
        }
        if let Some(fault) = self.end.fault {
            write!(f, " ({fault})")?;
        }
        if self.end.by_oom_killer == Some(true) {
            f.write_str(" for want of memory")?;
        }
        Ok(())
    }

    /// Everything, in lines of their own.
    fn report(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} ", self.pid)?;
        self.how(f)?;
        write!(f, " {}", self.phase)?;
        if let Some(task) = self.task {
            match (task.name(), task.offset()) {
                (Some(name), _) => write!(f, "\n  function     {name}")?,
                (None, Some(offset)) => write!(f, "\n  function     at {offset:#x} of the executable")?,
                (None, None) => {}
            }
            write!(f, "\n  type         {}", task.type_name)?;
            if let Some(caller) = task.caller {
                write!(f, "\n  called at    {caller}")?;
            }
        }
        if let Some(ran_for) = self.ran_for {
            write!(f, "\n  ran for      {ran_for:.2?}")?;
        }
        if let Some(usage) = &self.end.usage {
            write!(f, "\n  CPU time     {:.2?} user, {:.2?} system", usage.user, usage.system)?;
        }
        if let Some(memory) = self.end.peak_memory {
            write!(f, "\n  peak memory  {}", Bytes(memory))?;
        }
        if self.end.status.is_some_and(status::is_kill) {
            f.write_str(match self.end.by_oom_killer {
                Some(true) => "\n  killed by    the kernel, for want of memory",
                Some(false) => "\n  killed by    a process, not by the kernel for want of memory",
                None => "\n  killed by    a process, or the kernel for want of memory",
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
        match self.task.and_then(Task::name) {
            Some(name) if self.is_of_job() => write!(f, " while it ran {name}")?,
            _ => write!(f, " {}", self.phase)?,
        }
        match self.ran_for {
            Some(ran_for) => write!(f, " (for {ran_for:.2?})"),
            None => Ok(()),
        }
    }
}

/// A number of bytes, for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[allow(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
        let bytes = self.0 as f64;
        let units = ["KiB", "MiB", "GiB", "TiB"];
        let step = (0..units.len() - 1).find(|step| bytes < 1024_f64.powi(*step as i32 + 2)).unwrap_or(units.len() - 1);
        write!(f, "{:.1} {}", bytes / 1024_f64.powi(step as i32 + 1), units[step])
    }
}
