//! Workers start, are lent to calls, and come back.

use super::guards::{AbandonedGuard, HasLedger, RunningGuard, StartGuard, WaitingGuard};
use super::worker_ledger::{Closed, PooledWorker, State, WorkerLedger};
use crate::sync::Arc;
use std::time::Instant;

/// The result of a check-out.
pub(crate) enum Lookup<C: HasLedger> {
    /// A worker, which counts as lent from here on.
    Hit(C::Worker, RunningGuard<C>),
    /// No worker: the ledger counts a start from here on.
    Miss(StartGuard<C>),
}

/// Guards are handed out.
impl<W: PooledWorker> WorkerLedger<W> {
    /// A worker from the cache, or else a start. A call that has `waited` for a worker's overdue decision takes no
    /// other such worker.
    #[inline]
    pub(crate) fn check_out<C: HasLedger<Worker = W>>(context: &Arc<C>, waited: bool) -> Result<Lookup<C>, Closed> {
        let mut state = context.ledger().lock_open()?;
        // Those are at the back of the cache: if one comes up again, there are no others.
        if waited && state.idle.last().is_some_and(W::is_decision_overdue) {
            return Ok(Lookup::Miss(StartGuard::new(context, &mut state)));
        }
        Ok(match state.idle.pop() {
            Some(worker) => Lookup::Hit(worker, RunningGuard::new(context, &mut state)),
            None => Lookup::Miss(StartGuard::new(context, &mut state)),
        })
    }

    /// Lets the next check-out find a worker of which this is so, if there is one in the cache.
    pub(crate) fn bring_up(&self, is_so: impl Fn(&W) -> bool) {
        let mut state = self.lock();
        let found = state.idle.iter().rposition(|worker| is_so(worker) && !worker.is_decision_overdue());
        if let Some(at) = found.filter(|at| at + 1 < state.idle.len()) {
            let worker = state.idle.remove(at);
            state.idle.push(worker);
        }
    }

    /// Counts a start, whatever is in the cache.
    pub(crate) fn begin_start<C: HasLedger<Worker = W>>(context: &Arc<C>) -> Result<StartGuard<C>, Closed> {
        Ok(StartGuard::new(context, &mut *context.ledger().lock_open()?))
    }

    /// Counts as many starts as there are spare workers missing. `most`: how many workers there can be.
    pub(crate) fn begin_spares<C: HasLedger<Worker = W>>(
        context: &Arc<C>,
        wanted: usize,
        most: usize,
    ) -> Vec<StartGuard<C>> {
        let Ok(mut state) = context.ledger().lock_open() else { return Vec::new() };
        let missing = wanted.saturating_sub(state.idle.len() + state.starting);
        let missing = missing.min(most.saturating_sub(state.members.len() + state.starting));
        (0..missing).map(|_| StartGuard::new(context, &mut state)).collect()
    }

    /// Counts as many starts as are missing to `wanted` workers, with at most so many starts at a time. `None`: there
    /// are as many workers.
    pub(crate) fn begin_warm_up<C: HasLedger<Worker = W>>(
        context: &Arc<C>,
        wanted: usize,
        at_a_time: usize,
    ) -> Result<Option<Vec<StartGuard<C>>>, Closed> {
        let mut state = context.ledger().lock_open()?;
        let missing = wanted.saturating_sub(state.ready());
        let starts = missing.min(at_a_time).saturating_sub(state.starting);
        Ok((missing > 0).then(|| (0..starts).map(|_| StartGuard::new(context, &mut state)).collect()))
    }

    /// Waits until there is something to do for the same warm-up: for another start, for its end, or because `is_so`.
    pub(crate) async fn until_warmer(&self, wanted: usize, at_a_time: usize, is_so: impl Fn() -> bool) {
        let is_news = |state: &State<W>| {
            let missing = wanted.saturating_sub(state.ready());
            state.closed || state.starting < missing.min(at_a_time) || missing == 0 || is_so()
        };
        self.until(|state| &mut state.changed, is_news).await;
    }

    /// A call waits for a token, unless as many as may wait do so.
    pub(crate) fn begin_waiting<C: HasLedger<Worker = W>>(
        context: &Arc<C>,
        most: Option<usize>,
    ) -> Result<Option<WaitingGuard<C>>, Closed> {
        let mut state = context.ledger().lock_open()?;
        let is_full = most.is_some_and(|most| state.waiting >= most);
        Ok((!is_full).then(|| WaitingGuard::new(context, &mut state)))
    }
}

/// A start and its outcome.
impl<W: PooledWorker> WorkerLedger<W> {
    /// When the next start may begin.
    pub(crate) fn next_start(&self) -> Option<Instant> {
        self.lock().backoff.next_start()
    }

    /// Enters a worker that has started, before its end can be recorded: it has this index until then. False: its
    /// context was killed meanwhile, so kill it, too.
    #[must_use]
    pub(crate) fn enter(&self, worker: &W, index: usize) -> bool {
        let mut state = self.lock();
        state.backoff.succeeded();
        state.members.insert(worker.serial(), (worker.process(), index));
        !state.killed
    }

    pub(crate) fn start_failed(&self) {
        self.lock().backoff.failed(Instant::now());
    }
}

impl<C: HasLedger> StartGuard<C> {
    /// The worker has started, and counts as lent from here on.
    pub(crate) fn into_running(mut self) -> RunningGuard<C> {
        let context = Arc::clone(&self);
        let mut state = self.settle();
        let running = RunningGuard::new(&context, &mut state);
        WorkerLedger::changed(state);
        running
    }

    /// The worker has started, and goes to the cache. `Some`: it does not stay there.
    #[must_use]
    pub(crate) fn check_in(&mut self, worker: C::Worker) -> Option<C::Worker> {
        let mut state = self.settle();
        let left = state.check_in(worker);
        WorkerLedger::changed(state);
        left
    }
}

impl<C: HasLedger> RunningGuard<C> {
    /// The worker comes back from a job. `Some`: it does not stay in the cache.
    #[must_use]
    #[inline]
    pub(crate) fn check_in(&mut self, worker: C::Worker) -> Option<C::Worker> {
        self.settle().check_in(worker)
    }

    /// The worker comes back, and has not decided yet whether it stays: it goes to the back. `Some`: it does not stay
    /// in the cache.
    #[must_use]
    pub(crate) fn check_in_at_back(&mut self, worker: C::Worker) -> Option<C::Worker> {
        let mut state = self.settle();
        if state.closed || !state.members.contains_key(&worker.serial()) {
            return Some(worker);
        }
        state.idle.insert(0, worker);
        None
    }

    /// Its call was dropped, and its job runs on.
    pub(crate) fn begin_abandoned(&self) -> AbandonedGuard<C> {
        AbandonedGuard::new(self, &mut self.ledger().lock())
    }
}
