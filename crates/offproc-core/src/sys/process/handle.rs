//! A process by its handle. As long as that is open, its number is no other process's, and its status can be read: so
//! there is nothing to reap.

use super::child::{Child, Kill, NotOurs, NotPermitted, ShowsEnd, Unsupported, Wait};
use super::gifts::Gift;
use super::reap::{Reaped, Usage};
use super::status::KILLED;
use super::win32::{job, process};
use async_io::os::windows::Waitable;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A process, its number, and the job that it is in.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pid: u32,
    process: Shared,
    /// Its last handle keeps the process alive: see `lifeline`.
    job: OnceLock<Arc<OwnedHandle>>,
}

/// A process that has been started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(super) process: OwnedHandle,
    pub(super) pid: u32,
    /// Where its stdin is written to.
    pub(super) stdin: File,
}

/// A handle that several wait for.
#[derive(Clone, Debug)]
struct Shared(Arc<OwnedHandle>);

impl AsHandle for Shared {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

impl AsHandle for ProcessHandle {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.process.as_handle()
    }
}

impl Kill for ProcessHandle {
    /// `TerminateProcess`. It fails for a process that is ending, and for no other of ours.
    fn kill(&self) -> Result<(), NotPermitted> {
        let _ = process::terminate(self.process.as_handle(), KILLED);
        Ok(())
    }

    /// `TerminateJobObject`.
    fn kill_group(&self) -> Result<(), Unsupported> {
        if let Some(job) = self.job.get() {
            let _ = job::terminate(job.as_handle(), KILLED);
        }
        Ok(())
    }

    /// Never needed, as [`kill_group`](Self::kill_group) works.
    fn kill_group_by_number(&self) {}
}

impl Wait for ProcessHandle {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn wait_until(&self, deadline: Instant) -> bool {
        process::wait(self.process.as_handle(), deadline)
    }

    /// `RegisterWaitForSingleObject`: the threads of the system's pool wait, a few for all processes.
    async fn changed(&self) {
        let mut ended = async { Waitable::new(self.process.clone())?.ready().await }.await;
        if ended.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::AlreadyExists) {
            // Another background task waits for it: a second registration takes a handle of its own.
            ended = async { Waitable::new(self.process.0.try_clone()?)?.ready().await }.await;
        }
        if ended.is_err() {
            // No handle or memory for the registration: check again a little later.
            async_io::Timer::after(Duration::from_millis(50)).await;
        }
    }

    fn is_reapable(&self) -> Result<bool, NotOurs> {
        Ok(self.wait_until(Instant::now()))
    }

    fn reap(&self) -> Result<Option<Reaped>, NotOurs> {
        if !self.wait_until(Instant::now()) {
            return Ok(None);
        }
        let handle = self.process.as_handle();
        let code = process::exit_code(handle).map_err(|_| NotOurs)?;
        let [user, system] = process::cpu_times(handle).unwrap_or_default();
        let memory = process::memory(handle).map_or(0, |memory| memory.peak_resident);
        Ok(Some(Reaped::new(code.cast_signed(), Usage { user, system, memory })))
    }
}

impl Child<ProcessHandle> {
    /// Takes over a child that has just been started.
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
    pub(crate) fn of_spawned(Started { process, pid, .. }: Started) -> io::Result<Self> {
        let process = Shared(Arc::new(process));
        Ok(Self::new(ProcessHandle { pid, process, job: OnceLock::new() }))
    }

    /// A process that another one has started: there is none.
    pub(crate) fn of_another(_: u32, _: Option<Gift>, _: Box<dyn ShowsEnd>) -> Option<Self> {
        None
    }

    /// It was started in this job, by which it is killed with all that it has started.
    pub(super) fn is_in(&self, job: &Arc<OwnedHandle>) {
        let _ = self.inner().job.set(Arc::clone(job));
    }

    pub(crate) fn handle(&self) -> &ProcessHandle {
        self.inner()
    }
}
