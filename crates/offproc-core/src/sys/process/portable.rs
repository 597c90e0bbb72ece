//! A process by its number, for systems that have no handle of one. The number is a child's own until that is reaped,
//! and this alone reaps it: killing and reaping are done under one lock.
//!
//! How the end of a child is seen is `ends/`: by a kqueue, or by a thread that waits.
#![allow(unsafe_code)]

use super::child::{Child, Kill, NotOurs, NotPermitted, ShowsEnd, Unsupported, Wait};
use super::kernel;
use super::process_end::EndNotice;
use super::reap::{Reaped, Usage};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group, waitid, waitpid,
};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How soon to look at another process's child.
const MOMENT: Duration = Duration::from_millis(10);

/// A process by its number.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pid: Pid,
    owner: Owner,
}

#[derive(Debug)]
enum Owner {
    Us(End),
    /// Another process, and its number may be yet another's at any time. The end of its lifeline is its own.
    Another(Box<dyn ShowsEnd>),
}

/// The end of a child.
#[derive(Debug)]
struct End {
    state: Mutex<State>,
    notice: EndNotice,
}

#[derive(Debug, Default)]
struct State {
    /// Its number may be another's: it was reaped, here or by other code of the program.
    is_gone: bool,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `waitid(P_PID, WEXITED | WNOHANG | WNOWAIT)`: whether the child has ended and can be reaped.
    fn is_reapable(&mut self, pid: Pid) -> Result<bool, NotOurs> {
        if self.is_gone {
            return Err(NotOurs);
        }
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), look).map(|ended| ended.is_some()).map_err(|_| {
            self.is_gone = true;
            NotOurs
        })
    }
}

impl ProcessHandle {
    fn child(pid: Pid) -> Self {
        Self { pid, owner: Owner::Us(End { state: Mutex::default(), notice: EndNotice::of(pid) }) }
    }

    fn end(&self) -> Result<&End, NotOurs> {
        if let Owner::Us(end) = &self.owner { Ok(end) } else { Err(NotOurs) }
    }

    fn has_ended_now(&self) -> bool {
        match &self.owner {
            Owner::Us(end) => end.lock().is_reapable(self.pid).unwrap_or(true),
            // `kill(pid, 0)`: or no process has its number.
            Owner::Another(lifeline) => {
                lifeline.is_at_end() || rustix::process::test_kill_process(self.pid) == Err(Errno::SRCH)
            }
        }
    }

    /// Sends a signal by its number, which is the child's; does nothing once it may be another's.
    fn signal(&self, send: fn(Pid, Signal) -> Result<(), Errno>) -> Result<(), NotPermitted> {
        let mut state = self.end().map_err(|NotOurs| NotPermitted)?.lock();
        // Other code of the program may have reaped it.
        if state.is_reapable(self.pid).is_err() {
            return Ok(());
        }
        match send(self.pid, Signal::KILL) {
            Err(Errno::PERM) => Err(NotPermitted),
            _ => Ok(()),
        }
    }

    /// The process in `/proc`, where there is one.
    pub(super) fn number_in_proc(&self) -> Option<i32> {
        Some(self.pid.as_raw_nonzero().get())
    }
}

impl Kill for ProcessHandle {
    /// `kill(pid, SIGKILL)`. Not for another's child: its lifeline ends that.
    fn kill(&self) -> Result<(), NotPermitted> {
        self.signal(kill_process)
    }

    /// `kill(pid, SIGTERM)`.
    fn terminate(&self) {
        let _ = self.signal(|pid, _| kill_process(pid, Signal::TERM));
    }

    /// `kill(-pid, SIGKILL)`: the group has the number of its leader, which is not reaped.
    fn kill_group(&self) -> Result<(), Unsupported> {
        let _ = self.signal(kill_process_group);
        Ok(())
    }

    fn kill_group_by_number(&self) {
        let _ = self.kill_group();
    }
}

impl Wait for ProcessHandle {
    fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    fn wait_until(&self, deadline: Instant) -> bool {
        loop {
            if self.has_ended_now() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            match self.end() {
                Ok(end) => end.notice.wait(left),
                Err(NotOurs) => std::thread::sleep(left.min(MOMENT)),
            }
        }
    }

    async fn changed(&self) {
        match self.end() {
            Ok(end) => end.notice.come().await,
            // The process that it is a child of says so in time.
            Err(NotOurs) => drop(async_io::Timer::after(10 * MOMENT).await),
        }
    }

    fn is_reapable(&self) -> Result<bool, NotOurs> {
        self.end()?.lock().is_reapable(self.pid)
    }

    /// `wait4(WNOHANG)`.
    fn reap(&self) -> Result<Option<Reaped>, NotOurs> {
        let mut state = self.end()?.lock();
        if state.is_gone {
            return Err(NotOurs);
        }
        let reaped = wait4(self.pid);
        state.is_gone = !matches!(reaped, Ok(None));
        reaped
    }
}

/// `wait4(WNOHANG)`: takes a child's status and usage, if it has ended.
fn wait4(pid: Pid) -> Result<Option<Reaped>, NotOurs> {
    let mut status = 0;
    // SAFETY: all zeroes is a valid `rusage`. The call fills it in, and the status, and looks at nothing else of ours.
    let (usage, reaped) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let reaped = libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, libc::WNOHANG, &raw mut usage);
        (usage, reaped)
    };
    match reaped {
        0 => Ok(None),
        1.. => {
            let (user, system) = (time(usage.ru_utime), time(usage.ru_stime));
            let memory = u64::try_from(usage.ru_maxrss).unwrap_or(0) * kernel::RESIDENT_UNIT;
            Ok(Some(Reaped::new(status, Usage { user, system, memory })))
        }
        _ => Err(NotOurs),
    }
}

fn time(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

impl Child<ProcessHandle> {
    /// Takes over a child that has just been started; an error here kills it before it is returned.
    pub(crate) fn of_spawned(child: std::process::Child) -> io::Result<Self> {
        Self::of_fork(Pid::from_child(&child))
    }

    /// A process that is not our child: another process gets its exit status.
    #[allow(clippy::unnecessary_wraps, reason = "other mechanisms need the gift")]
    pub(crate) fn of_another(pid: u32, _pidfd: Option<OwnedFd>, lifeline: Box<dyn ShowsEnd>) -> Option<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
        Some(Self::new(ProcessHandle { pid, owner: Owner::Another(lifeline) }))
    }

    /// A child that was forked, not spawned. An error here kills it before it is returned: if the system does not let
    /// us look at it without reaping it, nothing would show its end.
    pub(crate) fn of_fork(pid: Pid) -> io::Result<Self> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(pid), look) {
            Ok(_) | Err(Errno::CHILD) => Ok(Self::new(ProcessHandle::child(pid))),
            Err(e) => {
                // Not reaped yet, so the number is still the child's.
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
                Err(e.into())
            }
        }
    }

    pub(crate) fn handle(&self) -> &ProcessHandle {
        self.inner()
    }

    /// Kills it and waits until it has ended.
    pub(crate) fn end(&self) {
        let handle = self.inner();
        let _ = handle.kill();
        while let Err(Errno::INTR) = waitid(WaitId::Pid(handle.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
        let _ = handle.reap();
    }
}

#[cfg(test)]
mod tests {
    use super::super::child::Extent;
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    fn sleeper() -> Child<ProcessHandle> {
        Child::of_spawned(Command::new("sleep").arg("1000").process_group(0).spawn().unwrap()).unwrap()
    }

    #[test]
    fn the_end_is_seen_by_a_thread_and_by_a_task() {
        let child = sleeper();
        assert!(!child.wait_until(Instant::now() + Duration::from_millis(1)));
        let reaped = std::thread::scope(|scope| {
            let waits = scope.spawn(|| async_io::block_on(child.wait(|| Extent::Process)));
            child.kill(Extent::Process).unwrap();
            assert!(child.wait_until(Instant::now() + Duration::from_secs(60)));
            waits.join().unwrap()
        });
        let status = std::os::unix::process::ExitStatusExt::signal(&reaped.unwrap().status());
        assert_eq!(status, Some(Signal::KILL.as_raw()));
        assert!(child.has_ended(), "and is reaped");
        assert!(matches!(child.try_wait(Extent::Process), Err(NotOurs)));
    }

    #[test]
    fn what_was_reaped_elsewhere_gets_no_signal() {
        let child = sleeper();
        child.kill(Extent::Group).unwrap();
        rustix::process::waitpid(Some(child.inner().pid), rustix::process::WaitOptions::empty()).unwrap();
        let number = child.inner().end().unwrap();
        assert!(!number.lock().is_gone);
        child.kill(Extent::Group).unwrap();
        assert!(number.lock().is_gone);
        assert!(async_io::block_on(child.wait(|| Extent::Process)).is_none());
    }
}
