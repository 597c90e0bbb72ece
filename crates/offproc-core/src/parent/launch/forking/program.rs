//! Forks the program itself.
#![allow(unsafe_code)]

use crate::parent::launch::launcher::{KillGuard, Launched, Launcher, Pairs, sealed, start_elsewhere, with_rights};
use crate::parent::process::supervised::Process;
use crate::parent::runtime::{BoxFuture, RuntimeSelector};
use crate::settings::Settings;
use crate::sys::backtrace;
use crate::sys::child::Child;
use crate::sys::fork::{Side, fork};
use crate::worker::abort_panic;
use crate::worker::forking::enter_forked;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// [`WorkerType::fork`](crate::WorkerType::fork).
#[derive(Clone, Copy, Debug)]
struct ForkLauncher(());

/// # Safety
///
/// See [`WorkerType::fork`](crate::WorkerType::fork).
pub(crate) unsafe fn of_program() -> Box<dyn Launcher> {
    Box::new(ForkLauncher(()))
}

impl sealed::Sealed for ForkLauncher {}

impl Launcher for ForkLauncher {
    fn launch(
        &self,
        _settings: &Arc<Settings>,
        _runtime: &RuntimeSelector,
        timeout: Duration,
    ) -> BoxFuture<io::Result<sealed::Started>> {
        start_elsewhere(timeout, launch)
    }
}

fn launch() -> io::Result<Launched> {
    let Pairs { control, worker_control, lifeline, worker_lifeline } = Pairs::open()?;
    // The child closes all registered descriptors; these are for the child.
    let worker_control = worker_control.into_owned()?;
    // Not in the child, where a thread that is not in it may hold the lock of the hook.
    abort_panic::install_hook();
    let modules = backtrace::loaded();
    let (pid, rights) = with_rights(|| {
        // SAFETY: the caller of `of_program` has promised what jobs in the child may depend on; until then only
        // our code runs in it, which sets up signals and reads from its connection.
        match unsafe { fork() }? {
            Side::Child => enter_forked(worker_control, modules),
            Side::Parent(pid) => Ok(pid),
        }
    })?;
    let process = KillGuard(Process::adopt(Child::of_fork(pid)?));
    Ok(Launched::new(process, control, lifeline, worker_lifeline, rights))
}
