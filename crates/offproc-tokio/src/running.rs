//! Whether the runtime that is current on a thread is the one that the thread runs. `Handle::enter` makes a runtime
//! current on a thread that runs another one, and tokio has no function that shows it.
//!
//! A runtime of one thread has two queues: one for what its own thread spawns, and one for what other threads spawn,
//! whose length tokio reports. So a probe, a task that does nothing, tells which of the two this thread is. It is
//! spawned once for each task that waits for a call, and only where the last one has run.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use tokio::runtime::Handle;
use tokio::task::Id;

/// The last answer on a thread.
struct Answer {
    runtime: u64,
    waiting: Waiting,
    runs: bool,
    probe: Arc<AtomicBool>,
}

/// What waits: its own runtime runs it for all its life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Task(Id),
    /// A `block_on`, by the data of its waker, which are its runtime's.
    BlockOn(usize),
}

thread_local! {
    static LAST: RefCell<Option<Answer>> = const { RefCell::new(None) };
}

/// Whether this thread runs a runtime of one thread, `number`, that is current while the task of this waker is polled.
/// False as well where another thread spawns something on the runtime at this very moment.
pub(crate) fn runs_here(handle: &Handle, number: u64, waker: &Waker) -> bool {
    let waiting = tokio::task::try_id().map_or_else(|| Waiting::BlockOn(waker.data().addr()), Waiting::Task);
    let answer = LAST.try_with(|last| {
        let last = last.borrow();
        let last = last.as_ref().filter(|last| last.runtime == number)?;
        // A runtime that has not run the probe since has not run.
        let is_known = if last.runs { last.waiting == waiting } else { !last.probe.load(Ordering::Relaxed) };
        is_known.then_some(last.runs)
    });
    match answer {
        Ok(Some(runs)) => runs,
        Ok(None) => ask(handle, number, waiting),
        // The thread is ending.
        Err(_) => false,
    }
}

fn ask(handle: &Handle, runtime: u64, waiting: Waiting) -> bool {
    let (probe, metrics) = (Arc::new(AtomicBool::new(false)), handle.metrics());
    let before = metrics.global_queue_depth();
    let has_run = Arc::clone(&probe);
    handle.spawn(async move { has_run.store(true, Ordering::Relaxed) });
    let runs = metrics.global_queue_depth() == before;
    let _ = LAST.try_with(|last| last.replace(Some(Answer { runtime, waiting, runs, probe })));
    runs
}
