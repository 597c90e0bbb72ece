//! Reaping a child: how it ended, and what it has used.
#![allow(unsafe_code)]

use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::{c_int, c_long};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// How a child ended, as its parent is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Reaped {
    status: c_int,
    pub(crate) usage: Usage,
}

/// What a process, with those of its children that it has waited for, has used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// The largest resident memory, in bytes. A new program's begins with that of the one that started it.
    pub(crate) memory: u64,
}

impl Reaped {
    pub(crate) fn status(&self) -> ExitStatus {
        ExitStatus::from_raw(self.status)
    }
}

/// The kernel's own `struct rusage`, which that of a C library need not be.
#[repr(C)]
#[derive(Default)]
struct RawUsage {
    user: [c_long; 2],
    system: [c_long; 2],
    kilobytes: c_long,
    rest: [c_long; 13],
}

/// Reaps the child, if it has ended.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> Result<Option<Reaped>, Errno> {
    let mut usage = RawUsage::default();
    // SAFETY: all zeroes is a valid `siginfo_t`. The kernel writes to it and to `usage`, which have its layout, and
    // looks at nothing else of ours. (The C library's `waitid` has no place for `usage`.)
    let info = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG;
        let child = pidfd.as_raw_fd();
        let result = libc::syscall(libc::SYS_waitid, libc::P_PIDFD, child, &raw mut info, options, &raw mut usage);
        if result < 0 {
            return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::CHILD));
        }
        info
    };
    // SAFETY: `waitid` fills in these fields; where no child has ended, they are zero as before.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let status = match info.si_code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    };
    let usage = Usage {
        user: time(usage.user),
        system: time(usage.system),
        memory: u64::try_from(usage.kilobytes).unwrap_or(0) * 1024,
    };
    Ok(Some(Reaped { status, usage }))
}

fn time([seconds, microseconds]: [c_long; 2]) -> Duration {
    let part = |number: c_long| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(seconds)) + Duration::from_micros(part(microseconds))
}
