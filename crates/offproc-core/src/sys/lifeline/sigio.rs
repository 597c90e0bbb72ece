//! The lifeline: it ends a worker when its parent ends.
//!
//! One end of a socket pair is the worker's, the other the parent's alone; the parent never sends anything on it. When
//! the parent ends, however it ends, the kernel closes its end and, as the worker has asked for (`F_SETSIG`), sends the
//! worker SIGKILL: a signal that reaches it in an endless loop, stopped, or with every signal blocked. No thread waits
//! for it, and it depends on the process, not on the thread that started the worker (unlike `PR_SET_PDEATHSIG`).

pub(crate) use super::lifeline_ends::{Cutter, Hold, ParentEnd, Starter, WorkerEnd, pair};

use super::fd_numbers::duplicate_high;
use super::fork::exit_at_once;
use super::gifts::Gift;
use super::readiness::{self, Interest};
use super::{faults, kernel};
use crate::error::about;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Open for the life of the process: closing it would cut the line.
static HELD: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// `fcntl(F_SETSIG)`: from here on the end of the parent ends this process. In a fork, this also closes the lifeline
/// that it has inherited from the process that forked it. `gifts`: what came with the hello.
pub(crate) fn hold(gifts: &mut impl Iterator<Item = Gift>) -> io::Result<Hold> {
    let Some(line) = gifts.next() else { return Ok(Hold::Missing) };
    let line = duplicate_high(line).map_err(|e| about("it could not be moved to a high descriptor", e))?;
    kernel::signal_when_readable(line.as_fd(), libc::SIGKILL)?;
    // The parent may have ended before this process asked for the signal; then the signal never comes.
    let gone = readiness::wait_for(&line, Interest::Readable, Duration::ZERO)?;
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    // If it cannot be taken back, it could not be set either.
    let _ = set_parent_process_death_signal(None);
    Ok(if gone { Hold::Cut } else { Hold::Held })
}

/// A fork of this process that becomes a worker of it closes the lifeline that this process holds itself.
pub(crate) fn release() {
    drop(HELD.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// This process is to have one thread from here on: no other waits for its parent.
pub(crate) fn end_threads() {}

/// `prctl(PR_SET_PDEATHSIG)`: the end of this process's parent ends it even if another process has a copy of the
/// parent's end, made by a bare `clone` that the parent does not know of. The kernel acts on the
/// end of the thread that is the parent: the program's first (see `sys/spawn.rs`). It drops the request when this
/// process changes its users; then the lifeline remains. So it does if that first thread has ended before the program
/// (`pthread_exit` in `main`), after which the parent is any other thread.
pub(crate) fn die_with(Starter(parent): Starter) {
    let Some(number) = parent.map(|parent| parent.as_raw_nonzero()) else { return };
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    if stat.rsplit(") ").next().is_some_and(|state| state.starts_with('Z')) {
        return;
    }
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != parent {
        exit_at_once(0); // it ended before that
    }
}

/// `prctl(PR_SET_PDEATHSIG)`: until this process holds a lifeline, the end of the process that forked it, which has one
/// thread, ends it too.
pub(crate) fn die_with_forker(forker: u32) {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if std::os::unix::process::parent_id() != forker {
        exit_at_once(0); // it ended before that
    }
}

/// From here on a fault that ends this process is reported on its lifeline.
pub(crate) fn report_faults() -> io::Result<()> {
    match &*HELD.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(line) => faults::report_on(line.as_fd()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// `fcntl(F_SETOWN)`: from here on the end of the parent ends the whole process group, which this process leads.
pub(crate) fn cover_group() -> io::Result<()> {
    match &*HELD.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(line) => Ok(kernel::signal_group_when_readable(line.as_fd())?),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}
