//! `kqueue` with `EVFILT_PROC`: a descriptor that is readable once one of some processes ends (`man 2 kqueue`).
#![allow(unsafe_code)]

use super::fd_numbers::open_above_standard;
use super::fork::generation;
use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent_timespec, kqueue};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::Pid;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Readable once one of its processes ends. No process inherits it, neither a fork nor one that is started.
#[derive(Debug)]
pub(super) struct EndQueue {
    queue: ManuallyDrop<OwnedFd>,
    generation: u32,
}

impl EndQueue {
    /// `kqueue`.
    pub(super) fn open() -> io::Result<Self> {
        let [queue] = open_above_standard(|| Ok([kqueue()?]))?;
        // For a process that replaces itself (`exec`).
        fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
        Ok(Self { queue: ManuallyDrop::new(queue), generation: generation() })
    }

    /// `kevent(EV_ADD)`: one process more.
    ///
    /// # Errors
    ///
    /// `SRCH`: it has ended, or (on macOS) has begun to end.
    pub(super) fn add(&self, process: Pid) -> Result<(), Errno> {
        let end = EventFilter::Proc { pid: process, flags: ProcessEvents::EXIT };
        let change = Event::new(end, EventFlags::ADD, std::ptr::null_mut());
        let nothing: &mut [MaybeUninit<Event>; 0] = &mut [];
        // Without room for events the call neither waits nor takes one, and a change that fails is its error.
        // SAFETY: the event names a process, and no descriptor.
        unsafe { kevent_timespec(self, &[change], nothing, None) }.map(drop)
    }
}

impl AsFd for EndQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

impl Drop for EndQueue {
    fn drop(&mut self) {
        // A fork does not have it, and the number may be another descriptor's there.
        if self.generation == generation() {
            // SAFETY: dropped here and nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.queue) };
        }
    }
}
