//! Turns at starting: how many new processes compete for the CPUs at once.
//!
//! A new process computes for about a millisecond until it serves, and a hundred at once would have every other thread
//! of the program wait for all of them. So only as many as there are CPUs are under way at a time, in the whole
//! program; the others start no sooner for being under way. A turn ends when the process has introduced itself: what
//! `init` does then takes no turn.

use super::runtime::Host;
use async_channel::{Receiver, Sender};
use futures_lite::future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long starts wait for one that does not get on. Then one of them goes without, and brings the turn that it ends
/// with.
const STUCK: Duration = Duration::from_millis(100);

static TAKEN: AtomicU64 = AtomicU64::new(0);

/// A turn; its drop ends it.
#[derive(Debug)]
pub(crate) struct Turn(());

fn turns() -> &'static (Sender<()>, Receiver<()>) {
    static TURNS: OnceLock<(Sender<()>, Receiver<()>)> = OnceLock::new();
    TURNS.get_or_init(|| {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let turns = async_channel::bounded(cpus);
        while turns.0.try_send(()).is_ok() {}
        turns
    })
}

impl Turn {
    /// First come, first served.
    pub(crate) async fn take(host: &Host) -> Self {
        let (_, turns) = turns();
        if turns.try_recv().is_err() {
            loop {
                let taken = TAKEN.load(Ordering::Relaxed);
                let turn = async { turns.recv().await.is_ok() };
                let stuck = async {
                    host.sleep_really(STUCK).await;
                    false
                };
                if future::or(turn, stuck).await || TAKEN.load(Ordering::Relaxed) == taken {
                    break;
                }
            }
        }
        TAKEN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // More than there are do not come back.
        let _ = turns().0.try_send(());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// Who counts on turns has them to itself, all of them.
    pub(in crate::parent) fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        while !turns().1.is_full() {
            std::thread::yield_now();
        }
        alone
    }

    #[test]
    fn are_as_many_as_cpus_and_a_stuck_one_holds_up_nobody_for_ever() {
        let _alone = alone();
        let host = Host::fallback();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let all = || (0..cpus).map(|_| block_on(poll_once(Turn::take(&host))).expect("a turn is free")).collect();
        let held: Vec<_> = all();
        assert!(block_on(poll_once(Turn::take(&host))).is_none(), "no more than that");
        // Nobody gives one back, and yet:
        let more = block_on(Turn::take(&host));
        drop((held, more));
        let held: Vec<_> = all();
        assert!(block_on(poll_once(Turn::take(&host))).is_none(), "what it brought does not stay");
        drop(held);
    }
}
