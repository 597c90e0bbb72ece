//! Forking the program itself.
#![allow(unsafe_code)]

use super::keeper;
use super::launcher::{Guard, Launched, Launcher, Pairs, sealed, start_elsewhere};
use super::process::Process;
use super::runtime::{BoxFuture, Host};
use crate::sys::fork::{Side, fork};
use crate::sys::process::Child;
use crate::worker::entry;
use std::io::{self, Write};
use std::time::Duration;

/// [`WorkerType::fork`](crate::WorkerType::fork).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fork(());

impl Fork {
    /// # Safety
    ///
    /// See [`WorkerType::fork`](crate::WorkerType::fork).
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

impl sealed::Sealed for Fork {}

impl Launcher for Fork {
    fn launch(&self, host: &Host, timeout: Duration) -> BoxFuture<io::Result<sealed::Started>> {
        start_elsewhere(host, timeout, launch)
    }
}

fn launch() -> io::Result<Launched> {
    keeper::ensure()?;
    let Pairs { control, worker_control, lifeline, worker_lifeline } = Pairs::open()?;
    // What is on the books is closed in the child; this is what it is to have.
    let worker_control = worker_control.into_owned()?;
    // Or the child would print it a second time.
    let _ = io::stdout().flush();
    // SAFETY: the maker of `Fork` has promised that jobs take the circumstances; what runs in the child until then is
    // ours: it arranges signals and reads from its connection.
    match unsafe { fork() }? {
        Side::Child => entry::enter_forked(worker_control),
        Side::Parent(pid) => {
            let process = Guard(Process::adopt(Child::of_fork(pid)?));
            Ok(Launched::new(process, control, lifeline, worker_lifeline))
        }
    }
}
