//! A process by its pidfd. It is killed and waited for through that, never by a bare number, which may be another's by
//! then.

use super::child::{Child, Kill, NotOurs, NotPermitted, ShowsEnd, Unsupported, Wait};
use super::fork_registry::TrackedFd;
use super::readiness::{self, Interest};
use super::reap::{Reaped, Usage};
use super::{awaited, kernel};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use std::ffi::c_long;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// A process and its number.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pid: u32,
    fd: TrackedFd,
}

impl ProcessHandle {
    /// `pidfd_open(pid)`.
    fn open(pid: Pid) -> io::Result<Self> {
        let open = || pidfd_open(pid, PidfdFlags::empty());
        let [fd] = TrackedFd::open(|| match open() {
            Ok(pidfd) => Ok([pidfd]),
            Err(e @ (Errno::NOSYS | Errno::PERM)) => Err(io::Error::new(
                io::Error::from(e).kind(),
                format!("the system refused `pidfd_open` ({e}), which needs Linux 5.3, and which a sandbox may forbid"),
            )),
            Err(e) => Err(e.into()),
        })?;
        Ok(Self { pid: pid.as_raw_nonzero().get().unsigned_abs(), fd })
    }

    /// `/proc/self/fdinfo`: its number in `/proc`, which may be that of another PID namespace than ours (one above it,
    /// as in a container that was given the host's), where our number for it is another process's.
    pub(super) fn number_in_proc(&self) -> Option<i32> {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.fd.as_raw_fd())).ok()?;
        // 0 for a process that is not visible there, -1 for one that has ended.
        info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
    }
}

impl Kill for ProcessHandle {
    /// `pidfd_send_signal(SIGKILL)`.
    fn kill(&self) -> Result<(), NotPermitted> {
        match pidfd_send_signal(&self.fd, Signal::KILL) {
            Err(Errno::PERM) => Err(NotPermitted),
            _ => Ok(()),
        }
    }

    /// `pidfd_send_signal(SIGTERM)`.
    fn terminate(&self) {
        let _ = pidfd_send_signal(&self.fd, Signal::TERM);
    }

    fn kill_group(&self) -> Result<(), Unsupported> {
        match kernel::pidfd_kill_group(self.fd.as_fd()) {
            Err(Errno::INVAL) => Err(Unsupported),
            _ => Ok(()),
        }
    }

    /// `kill(-pid, SIGKILL)`.
    fn kill_group_by_number(&self) {
        #[allow(clippy::cast_possible_wrap, reason = "process ids are positive in both types")]
        if let Some(group) = Pid::from_raw(self.pid as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Wait for ProcessHandle {
    fn pid(&self) -> u32 {
        self.pid
    }

    /// `poll`: a pidfd is readable once its process has ended.
    fn wait_until(&self, deadline: Instant) -> bool {
        readiness::wait(&self.fd, Interest::Readable, Some(deadline)).unwrap_or(false)
    }

    async fn changed(&self) {
        if awaited::readable(&self.fd).await.is_err() {
            // No descriptor or memory for the registration: check again a little later, rather than leave a zombie.
            async_io::Timer::after(Duration::from_millis(50)).await;
        }
    }

    /// `waitid(P_PIDFD, WEXITED | WNOHANG | WNOWAIT)`.
    fn is_reapable(&self) -> Result<bool, NotOurs> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::PidFd(self.fd.as_fd()), look).map(|ended| ended.is_some()).map_err(|_| NotOurs)
    }

    /// `waitid(P_PIDFD, WEXITED | WNOHANG)`.
    fn reap(&self) -> Result<Option<Reaped>, NotOurs> {
        let Some(waited) = kernel::waitid(self.fd.as_fd()).map_err(|_| NotOurs)? else { return Ok(None) };
        // As `waitpid` has it.
        let status = match waited.code {
            libc::CLD_EXITED => (waited.status & 0xff) << 8,
            libc::CLD_DUMPED => waited.status | 0x80,
            _ => waited.status,
        };
        let usage = Usage {
            user: time(waited.usage.user),
            system: time(waited.usage.system),
            memory: u64::try_from(waited.usage.kilobytes).unwrap_or(0) * 1024,
        };
        Ok(Some(Reaped::new(status, usage)))
    }
}

fn time([seconds, microseconds]: [c_long; 2]) -> Duration {
    let part = |number: c_long| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(seconds)) + Duration::from_micros(part(microseconds))
}

impl Child<ProcessHandle> {
    /// Takes over a child that has just been started; an error here kills it before it is returned.
    pub(crate) fn of_spawned(mut child: std::process::Child) -> io::Result<Self> {
        #[allow(clippy::cast_possible_wrap, reason = "process ids are positive in both types")]
        let opened = Pid::from_raw(child.id() as i32).ok_or(io::ErrorKind::NotFound.into());
        match opened.and_then(ProcessHandle::open) {
            Ok(pidfd) => Ok(Self::new(pidfd)),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(e)
            }
        }
    }

    /// A process that is not our child: this can kill it and see its end, but another process gets its exit status.
    pub(crate) fn of_another(pid: u32, pidfd: Option<OwnedFd>, _lifeline: Box<dyn ShowsEnd>) -> Option<Self> {
        Some(Self::new(ProcessHandle { pid, fd: pidfd?.into() }))
    }

    pub(crate) fn handle(&self) -> &ProcessHandle {
        self.inner()
    }

    /// A child that was forked, not spawned. An error here kills it before it is returned.
    pub(crate) fn of_fork(pid: Pid) -> io::Result<Self> {
        match ProcessHandle::open(pid) {
            Ok(pidfd) => Ok(Self::new(pidfd)),
            Err(e) => {
                // Not reaped yet, so the number is still the child's.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
                Err(e)
            }
        }
    }

    pub(crate) fn pidfd(&self) -> &TrackedFd {
        &self.inner().fd
    }

    /// `waitid(P_PIDFD, WEXITED)`: kills it and waits until it is gone.
    pub(crate) fn end(&self) {
        let _ = self.inner().kill();
        while let Err(Errno::INTR) = waitid(WaitId::PidFd(self.inner().fd.as_fd()), WaitIdOptions::EXITED) {}
    }
}

#[cfg(test)]
#[path = "pidfd/tests.rs"]
mod tests;
