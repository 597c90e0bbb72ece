//! For tests, on Linux, of what waits by a kqueue elsewhere: an epoll of pidfds is readable at the same time, and
//! adding a process that is gone is the same error.

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

/// Readable once one of its processes has ended.
#[derive(Debug)]
pub(super) struct EndQueue {
    queue: OwnedFd,
    // An epoll forgets what is closed.
    processes: Mutex<Vec<OwnedFd>>,
}

impl EndQueue {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { queue: epoll::create(epoll::CreateFlags::CLOEXEC)?, processes: Mutex::default() })
    }

    pub(super) fn add(&self, process: Pid) -> Result<(), Errno> {
        let process = pidfd_open(process, PidfdFlags::empty())?;
        epoll::add(&self.queue, &process, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        self.processes.lock().unwrap().push(process);
        Ok(())
    }
}

impl AsFd for EndQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}
