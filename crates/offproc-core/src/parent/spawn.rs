//! Starting the program's own executable once more, as a worker.

use super::keeper;
use super::launcher::{Guard, Launched, Launcher, Pairs, sealed, start_elsewhere};
use super::process::Process;
use super::runtime::{BoxFuture, Host};
use crate::sys::process::Child;
use crate::wire::frame::VERSION;
use crate::wire::hello::MARKER;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

/// `WorkerType::Spawn`: a new process of the same executable.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spawn;

impl sealed::Sealed for Spawn {}

impl Launcher for Spawn {
    fn launch(&self, host: &Host, timeout: Duration) -> BoxFuture<io::Result<sealed::Started>> {
        // Starting a process blocks until the new program is loaded, about a millisecond: not here.
        start_elsewhere(host, timeout, launch)
    }
}

fn launch() -> io::Result<Launched> {
    keeper::ensure()?;
    let Pairs { control, worker_control, lifeline, worker_lifeline } = Pairs::open()?;
    let mut command = Command::new(executable()?);
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        std::os::unix::process::CommandExt::arg0(&mut command, name);
    }
    // No `pre_exec`: std then uses `posix_spawn`, whose cost does not grow with the memory of this process.
    command.args(arguments).env(MARKER, VERSION.to_string()).stdin(Stdio::from(worker_control.into_owned()?));
    let process = Guard(Process::adopt(Child::spawn(&mut command)?));
    Ok(Launched::new(process, control, lifeline, worker_lifeline))
}

/// The running executable itself, whatever has become of its file since; where there is no `/proc`, its file.
fn executable() -> io::Result<std::path::PathBuf> {
    let itself = std::path::Path::new("/proc/self/exe");
    if cfg!(any(target_os = "linux", target_os = "android")) && itself.exists() {
        return Ok(itself.to_owned());
    }
    std::env::current_exe()
}
