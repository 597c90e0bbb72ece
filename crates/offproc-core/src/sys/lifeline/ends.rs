//! The two ends of a lifeline, where it is a pair of sockets: the parent's, which it never sends anything on, and the
//! worker's. What the worker does with its end is in the files beside this one.

use super::child::{Child, ShowsEnd, Terms};
use super::fork_registry::{TrackedGift, TrackedSocket, WeakSocket};
use super::{faults, pairs};
use rustix::process::{Pid, getppid};
use std::io;

/// The parent's end. The worker ends when the last of its clones is dropped, in whatever way.
#[derive(Clone, Debug)]
pub(crate) struct ParentEnd(TrackedSocket);

/// The worker's end, which goes to it with its hello.
#[derive(Debug)]
pub(crate) struct WorkerEnd(TrackedSocket);

/// `socketpair`: a lifeline for a worker that is to be started.
pub(crate) fn pair() -> io::Result<(ParentEnd, WorkerEnd)> {
    let (ours, theirs) = pairs::pair()?;
    Ok((ParentEnd(ours), WorkerEnd(theirs)))
}

impl ParentEnd {
    /// The process that holds the other end, once it has started: it ends by itself.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "other mechanisms begin here")]
    pub(crate) fn bind<P>(&self, _child: &Child<P>, terms: &Terms) -> io::Result<()> {
        // It limits itself, and leads its group.
        let _ = (terms.extent, &terms.limits, terms.leads_group);
        Ok(())
    }

    pub(crate) fn downgrade(&self) -> Cutter {
        Cutter(self.0.downgrade())
    }

    /// The fault that has ended the process, if that was to report it.
    pub(crate) fn fault(&self, pid: u32) -> Option<faults::Record> {
        faults::read(&self.0, pid)
    }
}

impl WorkerEnd {
    /// What goes along with the hello.
    pub(crate) fn into_gift(self) -> Option<TrackedGift> {
        Some(self.0)
    }
}

/// Cuts a lifeline, which is not kept open by this.
#[derive(Debug)]
pub(crate) struct Cutter(WeakSocket);

impl Cutter {
    /// `shutdown(SHUT_WR)`: ends the worker, whichever processes have a copy of the parent's end. Not both directions,
    /// or this end would be hung up before the worker has ended.
    pub(crate) fn cut(&self) {
        self.0.shut_down_sending();
    }
}

impl ShowsEnd for Cutter {
    /// No process has the worker's end, or this one has let go of its own.
    fn is_at_end(&self) -> bool {
        self.0.end().is_some() || self.0.is_closed()
    }
}

/// What came of holding a lifeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    /// The parent has ended, or has cut it.
    Cut,
    /// It did not come with the hello.
    Missing,
}

/// The process that has started this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starter(pub(super) Option<Pid>);

impl Starter {
    /// `getppid`: call this before the parent can have ended without notice.
    pub(crate) fn of_this_process() -> Self {
        Self(getppid())
    }
}
