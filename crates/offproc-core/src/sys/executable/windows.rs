//! The file of this program's executable, and how to start it once more.
//!
//! A file that is executed cannot be written to or deleted; it can be renamed, and another be put in its place. The
//! worker's build shows that.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::Command;

/// The command for one more process of this program, with the same arguments.
///
/// # Errors
///
/// The system does not report where the executable is.
pub(crate) fn command() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1));
    Ok(command)
}

/// The file with the program's code, for its symbols.
pub(crate) fn open() -> io::Result<File> {
    File::open(std::env::current_exe()?)
}

/// The path at which the executable is, or was, for messages.
pub(crate) fn name() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "the executable".into())
}

/// The system reports an absolute path.
pub(crate) fn note_directory() {}

/// Files give no privileges.
pub(crate) fn privilege() -> Option<&'static str> {
    None
}

/// The system's error from starting the executable.
pub(crate) fn explain(error: &io::Error) -> String {
    format!("{} could not be executed: {error}", name().display())
}
