//! Forking.
#![allow(unsafe_code)]

use rustix::process::Pid;
use std::io;

/// Which side of a fork one is on.
pub(crate) enum Side {
    Parent(Pid),
    Child,
}

/// Makes a copy of this process with one thread, the calling one.
///
/// # Safety
///
/// In a process with other threads, the child may only do what does not need a lock that one of them may have held at
/// that moment; its caller answers for that.
pub(crate) unsafe fn fork() -> io::Result<Side> {
    // SAFETY: the caller's obligation, passed on.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Pid::from_raw(pid).map_or(Side::Child, Side::Parent)),
    }
}

/// Forks a process that has one thread.
pub(crate) fn fork_alone() -> io::Result<Side> {
    if threads().is_some_and(|threads| threads != 1) {
        return Err(io::Error::other("the process has more than one thread"));
    }
    // SAFETY: there is no other thread that could hold a lock.
    unsafe { fork() }
}

/// How many threads this process has; `None` where the system does not tell.
pub(crate) fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

/// Ends the process without the work at exit, which a forked process has inherited but is not its own to do.
pub(crate) fn exit_at_once(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}
