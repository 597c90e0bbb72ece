//! Starting a process, where a process is no thread's child.
#![allow(unsafe_code)]

use super::child::Terms;
use super::lifeline::ParentEnd;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::{Child, Command};

const FIRST: RawFd = 3;

/// Runs `start`, on this thread.
pub(crate) fn on_a_passing_thread<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    start()
}

/// Starts the command, as far as the parent has to see to its terms. It does the rest itself.
pub(crate) fn start(command: &mut Command, _: &ParentEnd, terms: &Terms) -> io::Result<Child> {
    if terms.inherits_descriptors { command.spawn() } else { spawn_without_descriptors(command) }
}

/// Starts the command. Descriptors of the program that are not close-on-exec are in the new process, too: a thread has
/// no descriptors of its own here, and a function between fork and exec would make a start slower the more memory the
/// program has.
fn spawn_without_descriptors(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

/// `close`, of all descriptors but the standard three and one more, in a fork of the program that is to be a worker.
pub(crate) fn close_all_but(kept: &OwnedFd) {
    let numbers = std::fs::read_dir("/dev/fd").into_iter().flatten();
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let numbers: Vec<RawFd> = numbers.filter(|fd: &RawFd| *fd >= FIRST && *fd != kept.as_raw_fd()).collect();
    for number in numbers {
        // SAFETY: nothing in this process, which is to have one connection, uses the others from here on.
        unsafe { libc::close(number) };
    }
}
