//! A child process: killed and waited for through its pidfd, never by a bare pid, which may be another's by then.

use super::descriptors::{Descriptor, duplicate_high};
use super::group;
use super::reap::{Reaped, reap};
use crate::sync::Mutex;
use async_io::Async;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::PoisonError;

fn open(pid: Pid) -> io::Result<Descriptor> {
    let open = || pidfd_open(pid, PidfdFlags::empty());
    let [pidfd] = Descriptor::open(|| match open() {
        Ok(pidfd) => Ok([pidfd]),
        Err(e @ (Errno::NOSYS | Errno::PERM)) => Err(io::Error::new(
            io::Error::from(e).kind(),
            format!("the system has no `pidfd_open` for us ({e}); Linux 5.3 and later has it, a sandbox may forbid it"),
        )),
        Err(e) => Err(e.into()),
    })?;
    Ok(pidfd)
}

/// A child process that has been started and not yet been waited for.
#[derive(Debug)]
pub(crate) struct Child {
    pid: u32,
    pidfd: Descriptor,
    // Held while the group is killed by its number, which is the group's until the child is reaped.
    reaping: Mutex<()>,
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

impl Child {
    /// Starts the command; what fails after that ends the child before it is reported.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        #[allow(clippy::cast_possible_wrap, reason = "process ids are positive in both types")]
        let opened = Pid::from_raw(child.id() as i32).ok_or(io::ErrorKind::NotFound.into());
        match opened.and_then(open) {
            Ok(pidfd) => Ok(Self::new(child.id(), pidfd)),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(e)
            }
        }
    }

    /// A process that is not our child: it can be killed and seen to end, but another has its exit status.
    pub(crate) fn of_another(pid: u32, pidfd: OwnedFd) -> Self {
        Self::new(pid, pidfd.into())
    }

    /// A child that was forked, not spawned. What fails ends the child before it is reported.
    pub(crate) fn of_fork(pid: Pid) -> io::Result<Self> {
        match open(pid) {
            Ok(pidfd) => Ok(Self::new(pid.as_raw_nonzero().get().unsigned_abs(), pidfd)),
            Err(e) => {
                // Not reaped yet, so the number is still the child's.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
                Err(e)
            }
        }
    }

    fn new(pid: u32, pidfd: Descriptor) -> Self {
        Self { pid, pidfd, reaping: Mutex::new(()) }
    }

    pub(crate) fn pidfd(&self) -> &Descriptor {
        &self.pidfd
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends SIGKILL; a process that has ended already is left in peace.
    pub(crate) fn kill(&self, extent: Extent) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        if extent == Extent::Group {
            // Where the kernel cannot do it, whoever reaps the leader will.
            let _ = group::kill(self.pidfd.as_fd());
        }
    }

    /// True once it has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        self.wait_until(std::time::Instant::now())
    }

    /// What `measure` finds by the process id, if that was still this process's.
    pub(crate) fn measure<T>(&self, measure: fn(u32) -> Option<T>) -> Option<T> {
        let measured = measure(self.pid);
        // The number is free for others only after the end.
        if self.has_ended() { None } else { measured }
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn end(&self) {
        self.kill(Extent::Process);
        while let Err(Errno::INTR) = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED) {}
    }

    /// Waits for the end without taking a thread, and reaps. `None` when somebody else got the status first.
    pub(crate) async fn wait(&self, extent: impl Fn() -> Extent) -> Option<Reaped> {
        loop {
            match self.try_wait(extent()) {
                Ok(Some(reaped)) => return Some(reaped),
                Ok(None) => {}
                // Not our child, or reaped by somebody else: only its end can be seen.
                Err(_) if self.has_ended() => {
                    self.kill(extent());
                    return None;
                }
                Err(_) => {}
            }
            self.news().await;
        }
    }

    /// Waits until it has ended, reaped or not.
    pub(crate) async fn ended(&self) {
        while !self.has_ended() {
            self.news().await;
        }
    }

    /// Until there may be something new to see.
    async fn news(&self) {
        let mut readable = async { Async::new_nonblocking(self.pidfd.as_fd())?.readable().await }.await;
        if readable.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::AlreadyExists) {
            // Another errand watches it: a second watch takes a descriptor of its own.
            readable = async { Async::new_nonblocking(duplicate_high(self.pidfd.as_fd())?)?.readable().await }.await;
        }
        if readable.is_err() {
            // No descriptors or memory for the watch: ask again a little later rather than leave a zombie.
            async_io::Timer::after(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Waits on the calling thread, until the deadline at the latest; tells whether the child has ended.
    pub(crate) fn wait_until(&self, deadline: std::time::Instant) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let left = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], left.as_ref()) {
                // A handler of the program's ran, for the end of another child perhaps.
                Err(Errno::INTR) => {}
                ready => return matches!(ready, Ok(n) if n > 0),
            }
        }
    }

    /// Reaps the child if it has ended, after what ends with it; `Ok(None)` while it runs.
    pub(crate) fn try_wait(&self, extent: Extent) -> io::Result<Option<Reaped>> {
        if extent == Extent::Process {
            return Ok(reap(self.pidfd.as_fd())?);
        }
        let _reaping = self.reaping.lock().unwrap_or_else(PoisonError::into_inner);
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::PidFd(self.pidfd.as_fd()), look)?.is_none() {
            return Ok(None);
        }
        if group::kill(self.pidfd.as_fd()).is_err() {
            self.kill_group_of_unreaped();
        }
        Ok(reap(self.pidfd.as_fd())?)
    }

    /// For kernels without a better way. The child has ended and was not reaped, so its number is still its own.
    fn kill_group_of_unreaped(&self) {
        #[allow(clippy::cast_possible_wrap, reason = "process ids are positive in both types")]
        if let Some(group) = Pid::from_raw(self.pid as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

// The path is for the model, which has this file in another place.
#[cfg(all(test, not(loom)))]
#[path = "process/tests.rs"]
mod tests;
