//! Starting a process: as a child of the program's first thread, and with none of the program's descriptors but the
//! standard three.
#![allow(unsafe_code)]

use super::child::Terms;
use super::kernel;
use super::lifeline::ParentEnd;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::{Child, Command};
use std::time::Duration;

/// Runs `start` on a thread made for it, which has ended when this returns. The kernel has then made a process that it
/// has started the child of the program's first thread. See `lifeline::die_with`.
pub(crate) fn on_a_passing_thread<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let run = || (rustix::thread::gettid(), start());
        let thread = std::thread::Builder::new().name("offproc-spawn".into()).spawn_scoped(scope, run)?;
        let Ok((thread, started)) = thread.join() else {
            return Err(io::Error::other("the thread that starts a process panicked; the message is on stderr"));
        };
        wait_for_end(thread);
        started
    })
}

/// Waits from when a thread can be joined until the kernel has handed on its children. In between the kernel closes the
/// thread's copies of the descriptors, which may take as long as a file system, or a socket that lingers, likes.
fn wait_for_end(thread: rustix::thread::Pid) {
    let mut moments = 100;
    // The number cannot be another thread's yet: numbers would have to wrap around.
    while kernel::has_thread(thread) {
        if moments > 0 {
            moments -= 1;
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Starts the command, as far as the parent has to see to its terms. It does the rest itself.
pub(crate) fn start(command: &mut Command, _: &ParentEnd, terms: &Terms) -> io::Result<Child> {
    if terms.inherits_descriptors { command.spawn() } else { spawn_without_descriptors(command) }
}

/// Starts the command, on a passing thread. Descriptors of the program that are not close-on-exec are not in the new
/// process.
///
/// `posix_spawn` has no portable way for that; a function between fork and exec would make a start slower the more
/// memory the program has; and the new process could not distinguish what it has inherited from what its own
/// constructors have opened. So the thread makes all of them close-on-exec, in a copy of the descriptor table that it
/// alone has.
fn spawn_without_descriptors(command: &mut Command) -> io::Result<Child> {
    hide_descriptors();
    command.spawn()
}

const FIRST: libc::c_uint = 3;

/// Makes all descriptors of the calling thread close-on-exec, for it alone. (Before Linux 5.11 only if it may unshare
/// the table of the other threads.)
fn hide_descriptors() {
    let flags = libc::CLOSE_RANGE_UNSHARE | libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: the thread gets a table of its own, whose descriptors stay open; it uses none that others open or close.
    let hidden = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, flags) } == 0;
    // SAFETY: as above.
    if !hidden && unsafe { libc::unshare(libc::CLONE_FILES) } == 0 {
        for fd in open_descriptors("/proc/thread-self/fd") {
            // SAFETY: the call takes numbers, and changes a flag in this thread's own table.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

/// `close_range`: closes all descriptors but the standard three and one more, in a fork of the program that is to be a
/// worker.
pub(crate) fn close_all_but(kept: &OwnedFd) {
    let kept = kept.as_raw_fd();
    let kept_number = libc::c_uint::try_from(kept).unwrap_or(FIRST);
    let close_range = |first: libc::c_uint, last: libc::c_uint| {
        // SAFETY: nothing in this process, which is to have one connection, uses the others from here on.
        first > last || unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0
    };
    if close_range(FIRST, kept_number - 1) && close_range(kept_number + 1, libc::c_uint::MAX) {
        return;
    }
    for fd in open_descriptors("/proc/self/fd").into_iter().filter(|fd| *fd != kept) {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
}

fn open_descriptors(folder: &str) -> Vec<RawFd> {
    let numbers = std::fs::read_dir(folder).into_iter().flatten();
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|fd: &RawFd| fd.unsigned_abs() >= FIRST).collect()
}
