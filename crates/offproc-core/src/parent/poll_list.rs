//! Descriptors that a thread waits for by `poll`, each for one waker.

use crate::sys::fork_registry::TrackedFd;
use crate::sys::readiness::Interest;
use crate::wait_list::wake;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// The number of one more owner of a descriptor.
pub(super) fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// What waits for a descriptor.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    number: u64,
    descriptor: TrackedFd,
    interest: Interest,
    waker: Waker,
}

/// Descriptors, each under the number of its owner.
///
/// A waker is foreign code: drop what comes from here, and wake it, without a lock.
#[derive(Debug, Default)]
pub(super) struct PollList(Vec<Entry>);

impl PollList {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The waker is to be woken once the descriptor is ready. Returns what that replaces.
    #[must_use]
    pub(super) fn add(
        &mut self,
        number: u64,
        descriptor: TrackedFd,
        interest: Interest,
        waker: Waker,
    ) -> Option<Entry> {
        let entry = Entry { number, descriptor, interest, waker };
        if let Some(place) = self.0.iter_mut().find(|one| one.is(number, interest)) {
            return Some(std::mem::replace(place, entry));
        }
        self.0.push(entry);
        None
    }

    /// Takes all that waits for the descriptor of this number.
    #[must_use]
    pub(super) fn remove(&mut self, number: u64) -> Vec<Entry> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|entry| entry.number == number);
        self.0 = left;
        taken
    }

    /// Takes what waits for one thing.
    #[must_use]
    pub(super) fn take(&mut self, number: u64, interest: Interest) -> Option<Entry> {
        let place = self.0.iter().position(|entry| entry.is(number, interest))?;
        Some(self.0.swap_remove(place))
    }

    /// What is there now, to be waited for without the lock.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.clone())
    }
}

impl Entry {
    fn is(&self, number: u64, interest: Interest) -> bool {
        self.number == number && self.interest == interest
    }
}

/// What was in a list at one moment.
pub(super) struct Snapshot(Vec<Entry>);

impl Snapshot {
    /// `poll`: waits until one of them is ready, or the `interrupt` is. Wakes those that are ready, once `take` has
    /// taken them from the list. False if the system refuses so many descriptors: then it wakes all.
    pub(super) fn wait(self, interrupt: impl AsFd, take: impl Fn(u64, Interest) -> Option<Entry>) -> bool {
        let flags = |interest| if interest == Interest::Readable { PollFlags::IN } else { PollFlags::OUT };
        let mut polled = vec![PollFd::new(&interrupt, PollFlags::IN)];
        polled.extend(self.0.iter().map(|entry| PollFd::new(&entry.descriptor, flags(entry.interest))));
        let is_refused = match poll(&mut polled, None) {
            Ok(_) => false,
            Err(Errno::INTR) => return true,
            Err(_) => true,
        };
        let is_ready: Vec<_> = polled[1..].iter().map(|fd| is_refused || !fd.revents().is_empty()).collect();
        drop(polled);
        for (entry, _) in self.0.into_iter().zip(is_ready).filter(|(_, is_ready)| *is_ready) {
            take(entry.number, entry.interest).into_iter().for_each(|entry| wake(entry.waker));
        }
        !is_refused
    }
}
