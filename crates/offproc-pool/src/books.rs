//! The books of one context: which workers it has in its cache, how many are at work or starting, and what is left to
//! wait for when it closes.
//!
//! Each change is one step under one lock. What has to be done with a worker that does not stay is for the caller to
//! do, without the lock. `books/tests.rs` runs the steps in every interleaving.

use crate::statistics::Statistics;
use crate::sync::{Event, Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// A worker, as the books know it.
pub(crate) trait Entry: Debug {
    type Process: Clone + Debug;
    /// How a worker ended that did not end well.
    type Unclean: Debug;

    /// Tells it from all others.
    fn serial(&self) -> u64;
    fn process(&self) -> Self::Process;
    /// True when it takes no other job.
    fn is_spent(&self) -> bool;
    fn is_late(&self) -> bool;
    /// Its unclean end, once, if it has come while it had no job and nobody was told.
    fn untold_end(process: &Self::Process) -> Option<Self::Unclean>;
    /// It has ended in the cache.
    fn correct(&mut self, unclean: &mut Self::Unclean);
    fn merge(noted: &mut Self::Unclean, more: Self::Unclean);
}

/// The context is closed.
#[derive(Debug)]
pub(crate) struct Closed;

#[derive(Debug)]
pub(crate) struct Books<W: Entry> {
    state: Mutex<State<W>>,
    /// Notified when the context closes and, from then on, whenever a worker has ended or failed to start.
    changed: Event,
}

#[derive(Debug)]
struct State<W: Entry> {
    /// Last in, first out: the one used last has the warmest memory, and the others get to time out.
    idle: Vec<W>,
    running: usize,
    starting: usize,
    /// Every worker that has not been reaped, by its serial number.
    members: BTreeMap<u64, W::Process>,
    closed: bool,
    /// Closed, and nothing left.
    over: bool,
    /// Jobs that nobody waits for any more.
    abandoned: usize,
    unclean: Option<W::Unclean>,
    failed_starts: u32,
    next_start: Option<Instant>,
}

impl<W: Entry> Books<W> {
    pub(crate) fn new() -> Self {
        let state = State {
            idle: Vec::new(),
            running: 0,
            starting: 0,
            members: BTreeMap::new(),
            closed: false,
            over: false,
            abandoned: 0,
            unclean: None,
            failed_starts: 0,
            next_start: None,
        };
        Self { state: Mutex::new(state), changed: Event::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_open(&self) -> Result<MutexGuard<'_, State<W>>, Closed> {
        let state = self.lock();
        if state.closed { Err(Closed) } else { Ok(state) }
    }

    fn notify(&self) {
        self.changed.notify(usize::MAX);
    }

    async fn until(&self, is_so: impl Fn(&State<W>) -> bool) {
        loop {
            let changed = self.changed.listen();
            if is_so(&self.lock()) {
                return;
            }
            changed.await;
        }
    }
}

/// Workers come and go.
impl<W: Entry> Books<W> {
    /// A worker from the cache, if there is one; it is at work from here on.
    pub(crate) fn check_out(&self) -> Result<Option<W>, Closed> {
        let mut state = self.lock_open()?;
        let worker = state.idle.pop();
        state.running += usize::from(worker.is_some());
        Ok(worker)
    }

    /// A worker from the cache, or else one is starting from here on. Those who have waited for a late one take none.
    pub(crate) fn check_out_or_start(&self, has_waited: bool) -> Result<Option<W>, Closed> {
        let mut state = self.lock_open()?;
        // The late ones are at the far end: where one comes up again, there are no others.
        let worker = state.idle.pop_if(|worker| !(has_waited && worker.is_late()));
        match worker {
            Some(_) => state.running += 1,
            None => state.starting += 1,
        }
        Ok(worker)
    }

    /// A worker comes back from a job. `Some`: it does not stay.
    #[must_use]
    pub(crate) fn check_in(&self, worker: W) -> Option<W> {
        let mut state = self.lock();
        state.running -= 1;
        // One that has ended meanwhile is no member any more.
        let is_member = state.members.contains_key(&worker.serial());
        if !is_member {
            state.note(W::untold_end(&worker.process()));
        }
        if state.closed || worker.is_spent() || !is_member {
            return Some(worker);
        }
        state.idle.push(worker);
        None
    }

    /// A worker comes back that cannot say yet whether it stays, and goes to the far end. `Some`: it does not stay.
    #[must_use]
    pub(crate) fn check_in_last(&self, worker: W) -> Option<W> {
        let mut state = self.lock();
        state.running -= 1;
        if state.closed || !state.members.contains_key(&worker.serial()) {
            return Some(worker);
        }
        state.idle.insert(0, worker);
        None
    }

    /// A worker does not come back: it was killed, has died, or leaves.
    pub(crate) fn check_off(&self) {
        self.lock().running -= 1;
    }

    /// A worker has been reaped.
    pub(crate) fn ended(&self, serial: u64, mut unclean: Option<W::Unclean>) {
        let mut state = self.lock();
        let process = state.members.remove(&serial);
        // Its answer may have been looked at only after its end was recorded, and taken for the job's affair.
        unclean = unclean.or_else(|| process.as_ref().and_then(W::untold_end));
        let dead = state.idle.iter().position(|worker| worker.serial() == serial);
        let mut dead = dead.map(|at| state.idle.remove(at));
        if let (Some(worker), Some(unclean)) = (&mut dead, &mut unclean) {
            worker.correct(unclean);
        }
        state.note(unclean);
        drop(state);
        drop(dead);
        self.notify();
    }

    /// Notes the unclean end of a worker that no caller is told of.
    pub(crate) fn note(&self, unclean: Option<W::Unclean>) {
        self.lock().note(unclean);
    }

    /// A caller has gone and left its job under way.
    pub(crate) fn begin_abandoned(&self) {
        self.lock().abandoned += 1;
    }

    /// Its end is known and noted.
    pub(crate) fn end_abandoned(&self) {
        self.lock().abandoned -= 1;
        self.notify();
    }
}

/// Workers start.
impl<W: Entry> Books<W> {
    /// One is starting from here on.
    pub(crate) fn begin_start(&self) -> Result<(), Closed> {
        self.lock_open()?.starting += 1;
        Ok(())
    }

    /// As many are starting from here on as are missing among those that are there for calls to come.
    pub(crate) fn begin_spares(&self, wanted: usize) -> usize {
        let Ok(mut state) = self.lock_open() else { return 0 };
        let missing = wanted.saturating_sub(state.idle.len() + state.starting);
        state.starting += missing;
        missing
    }

    /// A start has succeeded, failed or been given up.
    pub(crate) fn end_start(&self) {
        self.lock().starting -= 1;
        self.notify();
    }

    /// Not to be started before that.
    pub(crate) fn next_start(&self) -> Option<Instant> {
        self.lock().next_start
    }

    /// A worker is there. Its end is not known yet to be.
    pub(crate) fn enter(&self, worker: &W) {
        let mut state = self.lock();
        state.failed_starts = 0;
        state.next_start = None;
        state.members.insert(worker.serial(), worker.process());
    }

    pub(crate) fn start_failed(&self) {
        let mut state = self.lock();
        state.failed_starts += 1;
        // The first failure may be chance; from the second one on, each doubles the pause.
        let pause = Duration::from_millis(10 << state.failed_starts.saturating_sub(2).min(7));
        if state.failed_starts > 1 {
            state.next_start = Some(Instant::now() + pause.min(Duration::from_secs(1)));
        }
    }

    /// A worker that has started is at work from here on.
    pub(crate) fn begin_work(&self) {
        self.lock().running += 1;
    }
}

/// It all ends.
impl<W: Entry> Books<W> {
    /// Closes for new calls: the cache, to be sent away. `None` when it was closed before.
    pub(crate) fn close(&self) -> Option<Vec<W>> {
        let mut state = self.lock_open().ok()?;
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        self.notify();
        Some(idle)
    }

    pub(crate) async fn closed(&self) {
        self.until(|state| state.closed).await;
    }

    /// Ready once all workers of a closed context are gone.
    pub(crate) async fn all_gone(&self) {
        // An abandoned job may have ended its worker, and not have told of it yet.
        self.until(|state| state.members.is_empty() && state.starting == 0 && state.abandoned == 0).await;
    }

    /// Nothing is left.
    pub(crate) fn finish(&self, unclean: Option<W::Unclean>) {
        let mut state = self.lock();
        state.note(unclean);
        state.over = true;
        drop(state);
        self.notify();
    }

    /// Waits until nothing is left; what there is to tell, once.
    pub(crate) async fn over(&self) -> Option<W::Unclean> {
        self.until(|state| state.over).await;
        self.lock().unclean.take()
    }

    /// For the end of the program: closes; the cache, and every worker that is still there.
    pub(crate) fn end(&self) -> (Vec<W>, Vec<W::Process>) {
        let mut state = self.lock();
        state.closed = true;
        (std::mem::take(&mut state.idle), state.members.values().cloned().collect())
    }

    pub(crate) fn has_workers(&self) -> bool {
        let state = self.lock();
        !state.members.is_empty() || state.starting > 0
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let state = self.lock();
        Statistics { idle_workers: state.idle.len(), running_workers: state.running, starting_workers: state.starting }
    }
}

impl<W: Entry> State<W> {
    fn note(&mut self, unclean: Option<W::Unclean>) {
        match (&mut self.unclean, unclean) {
            (Some(noted), Some(more)) => W::merge(noted, more),
            (noted @ None, more) => *noted = more,
            (Some(_), None) => {}
        }
    }
}

#[cfg(all(test, loom))]
mod tests;
