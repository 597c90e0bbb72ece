//! The registry of this process's descriptors, all of which a fork of it closes.
//!
//! Each descriptor of offproc's is registered for as long as it is open. After any `fork` in this program, whatever
//! code calls it, the child closes them all (see [`fork`](super::fork)): a child that kept our end of a worker's
//! lifeline would keep the worker alive after the program has ended.
#![allow(unsafe_code)]

use super::fd_numbers::open_above_standard;
use super::{discard, socket};
use crate::sorted_map::SortedMap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

static REGISTRY: Mutex<Registered> = Mutex::new(Registered { open: SortedMap::new(), serials: 0 });

struct Registered {
    /// With its serial. In a fork, which has closed what it has inherited, another one may have the same number.
    open: SortedMap<RawFd, u64>,
    serials: u64,
}

/// The registry, locked: no thread opens or closes a descriptor of ours meanwhile.
pub(crate) struct ForkRegistry(MutexGuard<'static, Registered>);

impl ForkRegistry {
    pub(crate) fn lock() -> Self {
        Self(REGISTRY.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `close`, of all that is registered, in a process that was forked while the registry was locked.
    pub(crate) fn close_all_in_child(&mut self) {
        for fd in std::mem::take(&mut self.0.open).keys() {
            // SAFETY: the `TrackedFd`s that this process has inherited are not used in a fork (calls are refused
            // there), and dropping one closes nothing that is not registered.
            unsafe { libc::close(fd) };
        }
    }

    fn register(&mut self, fd: OwnedFd) -> TrackedFd {
        self.0.serials += 1;
        let serial = self.0.serials;
        self.0.open.insert(fd.as_raw_fd(), serial);
        TrackedFd(Arc::new(Tracked { fd: ManuallyDrop::new(fd), serial, closing: AtomicU8::new(HERE) }))
    }

    /// False if it is closed, in a fork.
    fn unregister(&mut self, tracked: &Tracked) -> bool {
        let number = tracked.fd.as_raw_fd();
        let is_open = self.0.open.get(number) == Some(&tracked.serial);
        if is_open {
            self.0.open.remove(number);
        }
        is_open
    }
}

/// A registered descriptor, closed when its last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct TrackedFd(Arc<Tracked>);

#[derive(Debug)]
struct Tracked {
    fd: ManuallyDrop<OwnedFd>,
    serial: u64,
    /// How it is closed: one of those below.
    closing: AtomicU8,
}

const HERE: u8 = 0;
/// It is shut down first: our end of a pair, the other end of which is another process's.
const SHUT_DOWN: u8 = 1;
/// By another thread, as others may have put into it what takes long to close.
const ELSEWHERE: u8 = 2;

/// A connected socket, registered.
pub(crate) type TrackedSocket = TrackedFd;
/// A socket that has another owner.
pub(crate) type WeakSocket = WeakFd;
/// What goes along with bytes, registered until it has gone.
pub(crate) type TrackedGift = TrackedFd;

impl From<OwnedFd> for TrackedFd {
    fn from(fd: OwnedFd) -> Self {
        ForkRegistry::lock().register(fd)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        // Unregister first, so that no registered number is ever another's descriptor. Close after that, without the
        // lock: closing may take long, and forks wait for the lock. A fork that comes between has a copy, which keeps
        // no worker alive: `shutdown` applies to an end of a pair in every process that has it.
        if !ForkRegistry::lock().unregister(self) {
            return; // closed, in this fork
        }
        // SAFETY: taken here and nowhere else.
        let fd = unsafe { ManuallyDrop::take(&mut self.fd) };
        match self.closing.load(Ordering::Relaxed) {
            SHUT_DOWN => discard::shut_down(fd),
            ELSEWHERE => discard::discard([fd]),
            _ => drop(fd),
        }
    }
}

impl AsFd for TrackedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl AsRawFd for TrackedFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.fd.as_raw_fd()
    }
}

impl TrackedFd {
    /// The descriptors that `make` opens, registered before any fork can come between. None of them gets the number of
    /// a standard stream.
    pub(crate) fn open<const N: usize>(make: impl Fn() -> io::Result<[OwnedFd; N]>) -> io::Result<[Self; N]> {
        let mut registry = ForkRegistry::lock();
        Ok(open_above_standard(make)?.map(|fd| registry.register(fd)))
    }

    /// As our end of a pair, which is shut down before it is closed.
    pub(super) fn into_end_of_pair(self) -> Self {
        self.0.closing.store(SHUT_DOWN, Ordering::Relaxed);
        self
    }

    /// `shutdown(SHUT_RDWR)`, now, of our end of a pair.
    pub(crate) fn shut_down(&self) {
        self.0.closing.store(SHUT_DOWN, Ordering::Relaxed);
        socket::shut_down(self);
    }

    /// Another thread closes it, as the other end may be that of a worker, and nothing has shut it down.
    pub(crate) fn close_elsewhere(&self) {
        self.0.closing.store(ELSEWHERE, Ordering::Relaxed);
    }

    /// Unregisters and returns it; a duplicate, if there is a clone.
    pub(crate) fn into_owned(self) -> io::Result<OwnedFd> {
        match Arc::try_unwrap(self.0) {
            Ok(tracked) => {
                let mut tracked = ManuallyDrop::new(tracked);
                if !ForkRegistry::lock().unregister(&tracked) {
                    return Err(Errno::BADF.into());
                }
                // SAFETY: `tracked` is never dropped, so this is the only time it is taken.
                Ok(unsafe { ManuallyDrop::take(&mut tracked.fd) })
            }
            Err(shared) => Ok(fcntl_dupfd_cloexec(&*shared.fd, 3)?),
        }
    }

    pub(crate) fn downgrade(&self) -> WeakFd {
        WeakFd(Arc::downgrade(&self.0))
    }
}

/// An end of a pair that has another owner.
#[derive(Debug)]
pub(crate) struct WeakFd(Weak<Tracked>);

/// Of a pair whose other end is closed in all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketEnd {
    /// All that we have sent was read.
    AllRead,
    /// Something was not, which also breaks the connection.
    Unread,
}

impl WeakFd {
    /// `poll`: whether the other end is closed. Nothing of this changes what a reader finds.
    pub(crate) fn end(&self) -> Option<SocketEnd> {
        let tracked = self.0.upgrade()?;
        let mut polled = [PollFd::new(&*tracked.fd, PollFlags::empty())];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).ok()?;
        let events = polled[0].revents();
        match (events.contains(PollFlags::ERR), events.contains(PollFlags::HUP)) {
            (true, _) => Some(SocketEnd::Unread),
            (false, true) => Some(SocketEnd::AllRead),
            (false, false) => None,
        }
    }

    /// Looks at what comes next: how many bytes of it are there.
    pub(crate) fn peek(&self, space: &mut [u8]) -> usize {
        let Some(tracked) = self.0.upgrade() else { return 0 };
        socket::peek(&*tracked.fd, space).unwrap_or(0)
    }

    /// Whether its owner has closed it.
    #[allow(dead_code, reason = "for a lifeline, where it shows the end of a worker")]
    pub(crate) fn is_closed(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// `shutdown(SHUT_WR)`: in every process that has this end, unless its owner has closed it.
    pub(crate) fn shut_down_sending(&self) {
        if let Some(tracked) = self.0.upgrade() {
            socket::shut_down_sending(&*tracked.fd);
        }
    }
}
