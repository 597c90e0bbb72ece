//! Launch permits: they bound how many new processes compete for the CPUs at once.
//!
//! A new process computes for about a millisecond until it serves, and a hundred at once would make every other thread
//! of the program wait for all of them. So only as many as there are CPUs start at a time, in the whole program;
//! starting more at once would make none of them ready sooner. A permit ends when the process has sent `Welcome` or
//! `Ready`: `init` runs without one.

use super::semaphore::Semaphore;
use crate::parent::timer::sleep;
use futures_lite::future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long starts wait for one that makes no progress. Then one of them starts without a permit; its end gives one
/// back all the same.
const STUCK: Duration = Duration::from_millis(100);

static TAKEN: AtomicU64 = AtomicU64::new(0);

/// A permit; its drop ends it.
#[derive(Debug)]
pub(crate) struct LaunchPermit(());

fn permits() -> &'static Semaphore {
    static PERMITS: OnceLock<Semaphore> = OnceLock::new();
    PERMITS.get_or_init(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)))
}

impl LaunchPermit {
    /// First come, first served.
    pub(crate) async fn take() -> Self {
        let mut permit = std::pin::pin!(permits().acquire());
        if future::poll_once(&mut permit).await.is_none() {
            loop {
                let taken = TAKEN.load(Ordering::Relaxed);
                let served = async {
                    (&mut permit).await;
                    true
                };
                let stuck = async {
                    sleep(STUCK).await;
                    false
                };
                if future::or(served, stuck).await || TAKEN.load(Ordering::Relaxed) == taken {
                    break;
                }
            }
        }
        TAKEN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for LaunchPermit {
    fn drop(&mut self) {
        permits().release();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// For a test that needs all permits.
    pub(in crate::parent) fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        while !permits().is_full() {
            std::thread::yield_now();
        }
        alone
    }

    #[test]
    fn are_as_many_as_cpus_and_a_stuck_one_delays_no_other_for_ever() {
        let _alone = alone();
        crate::parent::background::ensure().unwrap();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let all = || (0..cpus).map(|_| block_on(poll_once(LaunchPermit::take())).expect("a permit is free")).collect();
        let held: Vec<_> = all();
        assert!(block_on(poll_once(LaunchPermit::take())).is_none(), "no more than that");
        // None is given back, and yet:
        let more = block_on(LaunchPermit::take());
        drop((held, more));
        let held: Vec<_> = all();
        assert!(block_on(poll_once(LaunchPermit::take())).is_none(), "the extra one does not stay");
        drop(held);
    }
}
