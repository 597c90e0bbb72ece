//! Starting a process.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};
use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

/// Runs `start`, on this thread: a process is no thread's child.
pub(crate) fn on_a_passing_thread<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    start()
}

/// `CREATE_NEW_PROCESS_GROUP`: the command's process leads a group of its own, which gets no Ctrl+C.
pub(crate) fn in_own_group(command: &mut Command) {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// Starts the command. Handles are only inherited if the program has made them so.
pub(crate) fn spawn_without_descriptors(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}
