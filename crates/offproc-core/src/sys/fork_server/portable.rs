//! What a fork server waits for, and how it announces a worker: by its number. The fork server alone sees its end.
#![allow(unsafe_code)]

pub(crate) use super::fork_requests::{News, receive};

use super::child::Child;
use super::fd_numbers::duplicate_high;
use super::flags;
use super::process::ProcessHandle;
use super::socket::{self, Blocking, Socket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::pipe;
use rustix::process::{Pid, getppid};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// Whether this system has fork servers.
pub(crate) const IS_SUPPORTED: bool = flags::HAS_FORK_SERVERS;

/// How soon to look at the program: another process may have copies of its connections, which then show no end.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// How soon to look at the children where no signal shows their ends.
const OFTEN: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The program that has started this fork server.
#[derive(Debug)]
pub(crate) struct Program {
    pid: Option<Pid>,
    // `None`: a sandbox forbids to handle signals.
    ends: Option<EndsOfChildren>,
}

impl Program {
    /// `getppid`.
    pub(crate) fn of_this_process() -> Self {
        Self { pid: getppid(), ends: EndsOfChildren::open().ok() }
    }
}

/// `poll`: waits for a request, for the end of a worker, or for the program's. `None`: interrupted.
pub(crate) fn wait<'a>(
    requests: &Socket,
    is_retired: bool,
    program: &Program,
    _children: impl Iterator<Item = &'a Child<ProcessHandle>>,
) -> io::Result<Option<News>> {
    // `poll` reports the end of both directions without being asked for it.
    let requested = if is_retired { PollFlags::empty() } else { PollFlags::IN };
    let mut watched = vec![PollFd::new(requests, requested)];
    watched.extend(program.ends.iter().map(|ends| PollFd::new(&ends.read, PollFlags::IN)));
    match poll(&mut watched, Some(if program.ends.is_some() { &LOOK } else { &OFTEN })) {
        Err(Errno::INTR) => return Ok(None),
        other => other?,
    };
    let events = watched[0].revents();
    // Before the children are looked at.
    program.ends.iter().for_each(EndsOfChildren::take);
    Ok(Some(News::new(events, getppid() == program.pid)))
}

/// `send`: sends the parent a message on the worker's connection.
pub(crate) fn announce(connection: &Socket, message: &[u8], _child: &Child<ProcessHandle>) {
    // If the parent has cancelled the start, it has closed its end; the worker sees that, too.
    let _ = socket::send(connection, message, Blocking::Yes);
}

/// Where the handler writes.
static WRITE: AtomicI32 = AtomicI32::new(-1);

/// A pipe that is readable once a child may have ended.
#[derive(Debug)]
struct EndsOfChildren {
    read: OwnedFd,
    // Held for the handler.
    _write: OwnedFd,
}

impl EndsOfChildren {
    /// `sigaction(SIGCHLD)`. For a process that has no other use of that signal.
    fn open() -> io::Result<Self> {
        extern "C" fn note(_: libc::c_int) {
            // Its only error is a full pipe, which is readable anyhow. That changes `errno` under a call which this
            // interrupts, and which has its result by then: the fork loop looks at it alone.
            // SAFETY: a handler may call `write`, and the byte is a static.
            unsafe { libc::write(WRITE.load(Ordering::Relaxed), c"x".as_ptr().cast(), 1) };
        }
        let (read, write) = pipe()?;
        let (read, write) = (duplicate_high(read)?, duplicate_high(write)?);
        for end in [&read, &write] {
            fcntl_setfl(end, OFlags::NONBLOCK)?;
        }
        WRITE.store(write.as_raw_fd(), Ordering::Relaxed);
        // SAFETY: all zeroes is a valid `sigaction`; the handler does what handlers may do, and stays.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP;
            libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut())
        };
        if result == 0 { Ok(Self { read, _write: write }) } else { Err(io::Error::last_os_error()) }
    }

    fn take(&self) {
        while let Ok(1..) = rustix::io::read(&self.read, &mut [0; 64]) {}
    }
}

impl Drop for EndsOfChildren {
    fn drop(&mut self) {
        WRITE.store(-1, Ordering::Relaxed);
    }
}
