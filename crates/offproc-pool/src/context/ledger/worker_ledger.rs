//! The ledger of one context: its cached workers, how many are lent or starting, and what a close has to wait for.
//!
//! Each change is one step under one lock. The caller deals with a worker that does not stay, without the lock.
//! `ledger/tests.rs` runs the steps in every interleaving.

#[cfg(feature = "metrics")]
use super::gauged::{Gauged, GaugedGuard};
use super::indices::Indices;
use super::rests::Rests;
use super::start_backoff::StartBackoff;
use super::statistics::Statistics;
#[cfg(feature = "metrics")]
use crate::observe::ContextGauges;
use crate::sync::{Mutex, WaitList, wake_all};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::PoisonError;
use std::task::{Context, Poll};

/// A worker, as the ledger knows it.
pub(crate) trait PooledWorker: Debug {
    type Process: Clone + Debug;
    /// An unclean end of a worker.
    type Unclean: Debug;

    /// A number that no other worker has.
    fn serial(&self) -> u64;
    fn process(&self) -> Self::Process;
    /// True when it takes no other job.
    fn is_retired(&self) -> bool;
    fn is_decision_overdue(&self) -> bool;
    /// Its unclean end, once, if it came while the worker had no job, and was not reported.
    fn unreported_end(process: &Self::Process) -> Option<Self::Unclean>;
    /// Corrects the phase of an end that came in the cache.
    fn correct(&mut self, unclean: &mut Self::Unclean);
    fn merge(noted: &mut Self::Unclean, more: Self::Unclean);
}

/// The ledger's state, under its lock.
#[cfg(not(feature = "metrics"))]
pub(super) type Locked<'a, W> = crate::sync::MutexGuard<'a, State<W>>;
/// The same, which shows in gauges once the lock is gone.
#[cfg(feature = "metrics")]
pub(super) type Locked<'a, W> = GaugedGuard<'a, State<W>>;

#[cfg(feature = "metrics")]
impl<W: PooledWorker> Gauged for State<W> {
    fn counts(&self) -> crate::observe::GaugeCounts {
        [self.idle.len(), self.running, self.starting, self.waiting]
    }

    fn gauges(&mut self) -> &mut ContextGauges {
        &mut self.gauges
    }
}

/// The context is closed.
#[derive(Debug)]
pub(crate) struct Closed;

#[derive(Debug)]
pub(crate) struct WorkerLedger<W: PooledWorker> {
    state: Mutex<State<W>>,
}

#[derive(Debug)]
pub(crate) struct State<W: PooledWorker> {
    /// Last in, first out: the one used last has the warmest memory, and the others can reach their idle timeout.
    pub(super) idle: Vec<W>,
    pub(super) running: usize,
    pub(super) starting: usize,
    /// Every worker that has not been reaped, by its serial number; with its index.
    pub(super) members: BTreeMap<u64, (W::Process, usize)>,
    pub(super) indices: Indices,
    pub(super) rests: Rests,
    pub(super) closed: bool,
    /// Closed, and all that still runs is killed.
    pub(super) killed: bool,
    /// Closed, and nothing left.
    pub(super) over: bool,
    /// Abandoned jobs.
    pub(super) abandoned: usize,
    /// Calls that wait for a token.
    pub(super) waiting: usize,
    pub(super) unclean: Option<W::Unclean>,
    pub(super) backoff: StartBackoff,
    /// Woken when the context closes, and whenever a worker has ended or failed to start.
    pub(super) changed: WaitList,
    /// Woken when the context closes, and when its workers are killed. A list of its own, as all waiting calls are on
    /// it.
    pub(super) closing: WaitList,
    #[cfg(feature = "metrics")]
    pub(super) gauges: ContextGauges,
}

impl<W: PooledWorker> WorkerLedger<W> {
    pub(crate) fn new(#[cfg(feature = "metrics")] gauges: ContextGauges) -> Self {
        let state = State {
            idle: Vec::new(),
            running: 0,
            starting: 0,
            members: BTreeMap::new(),
            indices: Indices::default(),
            rests: Rests::default(),
            closed: false,
            killed: false,
            over: false,
            abandoned: 0,
            waiting: 0,
            unclean: None,
            backoff: StartBackoff::default(),
            changed: WaitList::new(),
            closing: WaitList::new(),
            #[cfg(feature = "metrics")]
            gauges,
        };
        Self { state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> Locked<'_, W> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "metrics")]
        let state = GaugedGuard::new(state);
        state
    }

    pub(super) fn lock_open(&self) -> Result<Locked<'_, W>, Closed> {
        let state = self.lock();
        if state.closed { Err(Closed) } else { Ok(state) }
    }

    /// Wakes those who wait for a change, without the lock: a woken task may read the state, and change it, at once.
    pub(super) fn changed(mut state: Locked<'_, W>) {
        let waiting = state.changed.take_all();
        drop(state);
        wake_all(waiting);
    }

    /// The same when the context closes or is killed.
    pub(super) fn closing(mut state: Locked<'_, W>) {
        let waiting = state.closing.take_all();
        Self::changed(state);
        wake_all(waiting);
    }

    /// Wakes all waiting calls.
    pub(crate) fn wake_waiting(&self) {
        Self::changed(self.lock());
    }

    pub(super) fn until(&self, list: List<W>, is_so: impl Fn(&State<W>) -> bool) -> impl Future<Output = ()> {
        let mut waiter = Waiter { ledger: self, list, ticket: None };
        poll_fn(move |cx| waiter.poll(cx, &is_so))
    }
}

/// Which of the lists to wait on.
type List<W> = fn(&mut State<W>) -> &mut WaitList;

/// Waits for a change; its drop ends that.
struct Waiter<'a, W: PooledWorker> {
    ledger: &'a WorkerLedger<W>,
    list: List<W>,
    ticket: Option<u64>,
}

impl<W: PooledWorker> Waiter<'_, W> {
    fn poll(&mut self, cx: &mut Context<'_>, is_so: impl Fn(&State<W>) -> bool) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.ledger.lock();
        if is_so(&state) {
            return Poll::Ready(());
        }
        let stale = (self.list)(&mut state).enter(&mut self.ticket, waker);
        drop(state);
        drop(stale);
        Poll::Pending
    }
}

impl<W: PooledWorker> Drop for Waiter<'_, W> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let waker = (self.list)(&mut self.ledger.lock()).leave(ticket);
            drop(waker);
        }
    }
}

/// Workers end.
impl<W: PooledWorker> WorkerLedger<W> {
    /// A worker has been reaped.
    pub(crate) fn ended(&self, serial: u64, mut unclean: Option<W::Unclean>) {
        let mut state = self.lock();
        let member = state.members.remove(&serial);
        let process = member.map(|(process, index)| {
            state.indices.free(index);
            process
        });
        // The caller may have read the worker's answer only after its end was recorded, and not have reported the end.
        unclean = unclean.or_else(|| process.as_ref().and_then(W::unreported_end));
        let dead = state.idle.iter().position(|worker| worker.serial() == serial);
        let mut dead = dead.map(|at| state.idle.remove(at));
        if let (Some(worker), Some(unclean)) = (&mut dead, &mut unclean) {
            worker.correct(unclean);
        }
        state.note(unclean);
        let waiting = state.changed.take_all();
        drop(state);
        // Its drop counts the exit, if that was not done: do that before a close is over.
        drop(dead);
        wake_all(waiting);
    }

    /// Records the unclean end of a worker that no call gets, for `close`.
    pub(crate) fn note(&self, unclean: Option<W::Unclean>) {
        self.lock().note(unclean);
    }
}

/// Counts.
impl<W: PooledWorker> WorkerLedger<W> {
    /// Whether there is a worker that has started.
    pub(crate) fn has_members(&self) -> bool {
        !self.lock().members.is_empty()
    }

    pub(crate) fn has_workers(&self) -> bool {
        let state = self.lock();
        !state.members.is_empty() || state.starting > 0
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let state = self.lock();
        Statistics {
            idle_workers: state.idle.len(),
            running_workers: state.running,
            starting_workers: state.starting,
            waiting_calls: state.waiting,
            abandoned_jobs: state.abandoned,
            ..Statistics::default()
        }
    }
}

impl<W: PooledWorker> State<W> {
    /// Workers that are started, and are there.
    pub(super) fn ready(&self) -> usize {
        self.idle.len() + self.running
    }

    /// A worker goes to the cache. `Some`: it does not stay there.
    #[inline]
    pub(super) fn check_in(&mut self, worker: W) -> Option<W> {
        // A worker that has ended meanwhile is no longer a member.
        let is_member = self.members.contains_key(&worker.serial());
        if !is_member {
            self.note(W::unreported_end(&worker.process()));
        }
        if self.closed || worker.is_retired() || !is_member {
            return Some(worker);
        }
        self.idle.push(worker);
        None
    }

    pub(super) fn note(&mut self, unclean: Option<W::Unclean>) {
        match (&mut self.unclean, unclean) {
            (Some(noted), Some(more)) => W::merge(noted, more),
            (noted @ None, more) => *noted = more,
            (Some(_), None) => {}
        }
    }
}
