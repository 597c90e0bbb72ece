//! The lifeline: what ends a worker when its parent goes.
//!
//! One end of a socket pair is the worker's, the other only the parent's; nothing is ever sent to the worker on it. When the parent
//! goes, by whatever road, the kernel closes its end and, as the worker has asked for, sends the worker SIGKILL: a
//! signal that reaches it in an endless loop, stopped, or with every signal blocked. No thread waits for it, and it
//! is the process that counts, not the thread that started the worker (as it is with `PR_SET_PDEATHSIG`).
#![allow(unsafe_code)]

use super::faults;
use super::fork::exit_at_once;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Open for the life of the process: closing it would cut the line.
static HELD: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// From here on the end of the parent ends this process. A forked process lets go of its maker's line with this.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn hold(line: OwnedFd) -> io::Result<()> {
    const F_SETSIG: i32 = 10;
    let fd = line.as_raw_fd();
    // SAFETY: `getpid` has no preconditions; these `fcntl` commands take an integer and only change what the kernel
    // notes about an open descriptor of ours.
    unsafe {
        check(libc::fcntl(fd, libc::F_SETOWN, libc::getpid()))?;
        check(libc::fcntl(fd, F_SETSIG, libc::SIGKILL))?;
        let flags = check(libc::fcntl(fd, libc::F_GETFL))?;
        check(libc::fcntl(fd, libc::F_SETFL, flags | libc::O_ASYNC))?;
    }
    // The parent may have gone before the signal was asked for; then it never comes.
    let gone = poll(&mut [PollFd::new(&line, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0;
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    set_parent_process_death_signal(None)?;
    if gone { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
}

/// Until this process holds a line, the end of the process that forked it, which has one thread, ends it too.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn hold_maker(maker: Pid) {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != Some(maker) {
        exit_at_once(0); // it went before that
    }
}

/// From here on a fault that ends this process is told on its line.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn tell_faults() -> io::Result<()> {
    match &*HELD.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(line) => faults::tell_on(line.as_fd()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// From here on the end of the parent ends the whole process group, which this process leads.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn extend_to_group() -> io::Result<()> {
    match &*HELD.lock().unwrap_or_else(PoisonError::into_inner) {
        // SAFETY: as in `hold`.
        Some(line) => check(unsafe { libc::fcntl(line.as_raw_fd(), libc::F_SETOWN, -libc::getpid()) }).map(drop),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
