//! The lifeline: it ends a worker when its parent ends.
//!
//! Each worker is in a job object of its own, whose only handle is the parent's. However the parent ends, the system
//! closes that handle, and then ends what is in the job (`JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`). The worker is put into
//! it by the call that makes it (`PROC_THREAD_ATTRIBUTE_JOB_LIST`), so there is no moment in which it could be left
//! behind.
//!
//! A copy of the handle in another process would keep the worker alive: it is never inherited.

use super::child::{Child, Extent, ShowsEnd, Terms};
use super::faults::Record;
use super::fork_registry::TrackedGift;
use super::gifts::Gift;
use super::limits::Limited;
use super::process::ProcessHandle;
use super::win32::job::{self, Limits};
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;

/// The parent's end. The worker ends when the last of its clones is dropped, in whatever way.
#[derive(Clone, Debug)]
pub(crate) struct ParentEnd(Arc<OwnedHandle>);

/// The worker has none: it is in the job.
#[derive(Debug)]
pub(crate) struct WorkerEnd(());

/// `CreateJobObjectW`: a lifeline for a worker that is to be started.
pub(crate) fn pair() -> io::Result<(ParentEnd, WorkerEnd)> {
    Ok((ParentEnd(Arc::new(job::create()?)), WorkerEnd(())))
}

impl ParentEnd {
    /// The job, which limits what is in it as the terms say, for a process that is to be started in it.
    pub(super) fn job_for(&self, terms: &Terms) -> io::Result<BorrowedHandle<'_>> {
        let most = |wanted| terms.limits.iter().find(|(limited, _)| *limited == wanted).map(|(_, most)| *most);
        let limits = Limits {
            lets_children_go: terms.extent == Extent::Process,
            memory: most(Limited::AddressSpace).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            cpu_time: most(Limited::CpuTime).map(Duration::from_secs),
        };
        job::limit(self.0.as_handle(), &limits)?;
        Ok(self.0.as_handle())
    }

    /// The process was started in the job.
    #[expect(clippy::unnecessary_wraps, reason = "other mechanisms may fail")]
    pub(crate) fn bind(&self, child: &Child<ProcessHandle>, _: &Terms) -> io::Result<()> {
        child.is_in(&self.0);
        Ok(())
    }

    pub(crate) fn downgrade(&self) -> Cutter {
        Cutter(())
    }

    /// The fault that has ended the process: its exit code says it.
    pub(crate) fn fault(&self, _pid: u32) -> Option<Record> {
        None
    }
}

impl WorkerEnd {
    /// Nothing goes along with the hello.
    pub(crate) fn into_gift(self) -> Option<TrackedGift> {
        let Self(()) = self;
        None
    }
}

/// Cuts a lifeline where a process may not be killed: it always may.
#[derive(Debug)]
pub(crate) struct Cutter(());

impl Cutter {
    pub(crate) fn cut(&self) {}
}

impl ShowsEnd for Cutter {
    /// The process' handle shows it.
    fn is_at_end(&self) -> bool {
        false
    }
}

/// What came of holding a lifeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    Cut,
    Missing,
}

/// This process was made in its job.
pub(crate) fn hold(_gifts: &mut impl Iterator<Item = Gift>) -> io::Result<Hold> {
    Ok(Hold::Held)
}

/// There are none.
pub(crate) fn end_threads() {}

/// The process that has started this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starter(());

impl Starter {
    pub(crate) fn of_this_process() -> Self {
        Self(())
    }
}

/// The job does that.
pub(crate) fn die_with(_: Starter) {}

/// Nothing is to be reported: a fault is the exit code.
pub(crate) fn report_faults() -> io::Result<()> {
    Ok(())
}

/// The job has all that this process starts, if that is to end with it.
pub(crate) fn cover_group() -> io::Result<()> {
    Ok(())
}
