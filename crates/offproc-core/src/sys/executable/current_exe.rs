//! The file of this program's executable, and how to start it once more: by the path that the system reports. Another
//! file may be there by then; a worker of another build refuses to serve.

use super::kernel::is_privileged_start;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The command for one more process of this program, with the same arguments.
///
/// # Errors
///
/// The system does not report where the executable is.
pub(crate) fn command() -> io::Result<Command> {
    let mut command = Command::new(path()?);
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments.collect::<Vec<OsString>>());
    Ok(command)
}

/// As it was when this was first asked for: the program may change its directory.
fn path() -> io::Result<PathBuf> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return Ok(path.clone());
    }
    let path = std::env::current_exe()?;
    Ok(PATH.get_or_init(|| path).clone())
}

/// The file with the program's code, for its symbols.
pub(crate) fn open() -> io::Result<File> {
    File::open(path()?)
}

/// The path at which the executable is, or was, for messages.
pub(crate) fn name() -> PathBuf {
    path().unwrap_or_else(|_| "the executable".into())
}

/// Records where the executable is, before the program can change its directory.
pub(crate) fn note_directory() {
    let _ = path();
}

/// The privilege that the file of the executable gives to a process that executes it, if any.
pub(crate) fn privilege() -> Option<&'static str> {
    is_privileged_start().then_some("set-user-id or set-group-id")
}

/// The system's error from starting the executable.
pub(crate) fn explain(error: &io::Error) -> String {
    format!("{} could not be executed: {error}", name().display())
}
