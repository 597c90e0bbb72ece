//! What a process changes about itself: its group, directory, niceness and umask.

use super::fork_registry::{TrackedFd, TrackedGift};
use super::gifts::Gift;
use super::signals;
use rustix::fs::{Mode, OFlags, open};
use std::io;

/// `setpgid(0, 0)`: this process leads a group of its own, which gets no keys of a terminal.
pub(crate) fn lead_own_group() -> io::Result<()> {
    rustix::process::setpgid(None, None)?;
    // In the background of the terminal, these would stop it silently.
    signals::ignore(libc::SIGTTIN);
    signals::ignore(libc::SIGTTOU);
    Ok(())
}

/// `setpriority(PRIO_PROCESS)`: of the calling thread on Linux, of this process elsewhere.
pub(crate) fn set_niceness(nice: i32) -> io::Result<()> {
    Ok(rustix::process::setpriority_process(None, nice)?)
}

/// `open(".", O_DIRECTORY)`: the working directory, as its path may lead elsewhere, or nowhere, later on. `None` if it
/// may no longer be entered: then this process has been in it since it could.
pub(crate) fn directory() -> Option<TrackedGift> {
    let opened = TrackedFd::open(|| {
        let flags = super::flags::DIRECTORY_ALONE | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok([open(".", flags, Mode::empty())?])
    });
    opened.ok().map(|[directory]| directory)
}

/// `fchdir`: enters a directory that [`directory`] of another process has returned.
pub(crate) fn enter(directory: Gift) -> io::Result<()> {
    Ok(rustix::process::fchdir(directory)?)
}

/// From `/proc`, as the system call returns it only by changing it, for all threads. `None` where there is none.
pub(crate) fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(umask.trim(), 8).ok()
}

/// `umask`.
pub(crate) fn set_umask(umask: u32) {
    #[allow(clippy::cast_possible_truncation, clippy::useless_conversion, reason = "permissions fit any of its types")]
    rustix::process::umask(Mode::from_bits_truncate(umask as _));
}
