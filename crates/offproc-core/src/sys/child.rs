//! A child process, which several threads may kill and reap at once, alone or with its process group.
//!
//! Killing and waiting are behind two small traits, so that a fake can test the races: see `parent/process/races.rs`.

use super::limits::Limited;
use super::reap::Reaped;
use crate::sync::Mutex;
use std::fmt;
use std::future::Future;
use std::sync::PoisonError;
use std::time::Instant;

/// The system does not let this process signal that one any more: it has given up its privileges since it started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPermitted;

/// The kernel has no such call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// Its status is not available: it is another process's child, or other code of the program has reaped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOurs;

/// Kills a process with SIGKILL; does nothing to one that has ended.
pub(crate) trait Kill {
    fn kill(&self) -> Result<(), NotPermitted>;

    /// Sends SIGTERM, where the system has it: the launcher of another process then ends that, too.
    fn terminate(&self) {}

    /// Kills the process group that it leads, or led while it lived; the group may be empty, or never have been made.
    fn kill_group(&self) -> Result<(), Unsupported>;

    /// The same by the group's number, which is the process's. Only before that is reaped: then the number may be
    /// another's.
    fn kill_group_by_number(&self);
}

/// Sees a process end.
pub(crate) trait Wait {
    fn pid(&self) -> u32;

    /// Waits on the calling thread, until the deadline at most. True once it has ended, reaped or not.
    fn wait_until(&self, deadline: Instant) -> bool;

    /// Waits until it may have ended.
    fn changed(&self) -> impl Future<Output = ()> + Send;

    /// True once it has ended and can be reaped.
    fn is_reapable(&self) -> Result<bool, NotOurs>;

    /// Takes its status once it has ended, which frees its number.
    fn reap(&self) -> Result<Option<Reaped>, NotOurs>;
}

/// Shows the end of a process that is not a child.
pub(crate) trait ShowsEnd: fmt::Debug + Send + Sync {
    /// Whether the process has ended, or is about to.
    #[allow(dead_code, reason = "a pidfd, where there is one, shows it better")]
    fn is_at_end(&self) -> bool;
}

/// How much ends with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It alone.
    Process,
    /// Its process group, which it leads.
    Group,
}

impl Extent {
    pub(crate) fn of(kill_tree: bool) -> Self {
        if kill_tree { Self::Group } else { Self::Process }
    }
}

/// What holds for a process from its start, as far as its parent, and not it itself, has to see to that.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) extent: Extent,
    /// And how much of it, in the unit of each.
    pub(crate) limits: Vec<(Limited, u64)>,
    /// It leads a process group of its own.
    pub(crate) leads_group: bool,
    /// It has the program's descriptors, and not just the standard three.
    pub(crate) inherits_descriptors: bool,
}

/// A child process that has been started and not yet been waited for.
#[derive(Debug)]
pub(crate) struct Child<P> {
    process: P,
    // Held while the group is killed by its number, which stays the group's until the child is reaped.
    reaping: Mutex<()>,
}

impl<P> Child<P> {
    pub(crate) fn new(process: P) -> Self {
        Self { process, reaping: Mutex::new(()) }
    }

    pub(super) fn inner(&self) -> &P {
        &self.process
    }
}

impl<P: Kill + Wait> Child<P> {
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends SIGKILL; does nothing to a process that has ended already.
    pub(crate) fn kill(&self, extent: Extent) -> Result<(), NotPermitted> {
        let sent = self.process.kill();
        if extent == Extent::Group {
            // If the kernel cannot do it, the thread that reaps the leader kills the group.
            let _ = self.process.kill_group();
        }
        sent
    }

    /// Sends SIGTERM, where the system has it.
    pub(crate) fn terminate(&self) {
        self.process.terminate();
    }

    /// True once it has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        self.wait_until(Instant::now())
    }

    /// Waits on the calling thread, until the deadline at the latest; true if the child has ended.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        self.process.wait_until(deadline)
    }

    /// The result of `measure`, which uses the process's number, if that was still this process's.
    pub(crate) fn measure<T>(&self, measure: fn(&Self) -> Option<T>) -> Option<T> {
        let measured = measure(self);
        // The number can become another process's only after the end.
        if self.has_ended() { None } else { measured }
    }

    /// Waits for the end without blocking a thread, and reaps. `None` if other code got the status first.
    pub(crate) async fn wait(&self, extent: impl Fn() -> Extent) -> Option<Reaped> {
        loop {
            match self.try_wait(extent()) {
                Ok(Some(reaped)) => return Some(reaped),
                Ok(None) => {}
                // Only its end can be seen.
                Err(NotOurs) if self.has_ended() => {
                    let _ = self.kill(extent());
                    return None;
                }
                Err(NotOurs) => {}
            }
            self.process.changed().await;
        }
    }

    /// Waits until it has ended, reaped or not.
    pub(crate) async fn ended(&self) {
        while !self.has_ended() {
            self.process.changed().await;
        }
    }

    /// Reaps the child if it has ended, and kills its group before that, if that is to end with it; `Ok(None)` while it
    /// runs.
    pub(crate) fn try_wait(&self, extent: Extent) -> Result<Option<Reaped>, NotOurs> {
        if extent == Extent::Process {
            return self.process.reap();
        }
        let _reaping = self.reaping.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.process.is_reapable()? {
            return Ok(None);
        }
        if self.process.kill_group() == Err(Unsupported) {
            self.process.kill_group_by_number();
        }
        self.process.reap()
    }
}
