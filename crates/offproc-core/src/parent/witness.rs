//! What is watched of a worker, for the report of its death.

use super::settings::Settings;
use super::tee::Tee;
use crate::error::Fault;
use crate::error::death::End;
use crate::sys::descriptors::Descriptor;
use crate::sys::faults;
use crate::sys::oom::Before;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct Witness {
    faults: Option<Descriptor>,
    stderr: Option<Arc<Tee>>,
    before: Option<Before>,
}

impl Witness {
    /// Of a worker with this lifeline; with it comes the descriptor that is to be the worker's stderr.
    pub(crate) fn new(settings: &Settings, lifeline: &Descriptor) -> io::Result<(Self, Option<Descriptor>)> {
        let (stderr, theirs) = if settings.keep_stderr { Some(Tee::open()?) } else { None }.unzip();
        let faults = settings.fault_details.then(|| lifeline.clone());
        Ok((Self { faults, stderr, before: Before::now() }, theirs))
    }

    pub(crate) fn stderr(&self) -> Option<&Arc<Tee>> {
        self.stderr.as_ref()
    }

    /// Completes the end of the process, which was `our` doing or not.
    pub(crate) fn testify(&self, pid: u32, our: bool, end: &mut End) {
        let signal = end.status.and_then(|status| status.signal());
        let record = self.faults.as_ref().and_then(|line| faults::read(line, pid));
        end.fault = record.filter(|record| Some(record.signal) == signal).map(Fault);
        end.by_oom_killer = match end.status {
            Some(_) if signal == Some(libc::SIGKILL) && !our => self.before.as_ref().and_then(Before::has_killed_since),
            Some(_) => Some(false),
            None => None,
        };
        end.stderr = self.stderr.as_ref().map(Tee::last_words);
    }
}
