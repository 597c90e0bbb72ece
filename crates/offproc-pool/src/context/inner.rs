//! The part of a context that its handles, calls and workers share.

use crate::context::builder::WorkerContextBuilder;
use crate::context::end::at_exit;
use crate::context::ledger::{self, Closed, HasLedger, PooledWorker, Statistics, WorkerLedger};
use crate::context::settings::ContextSettings;
use crate::limiter::Limiter;
use crate::limiter::default::default_limiter;
use crate::observe::Observer;
use futures_lite::future;
use offproc_core::{
    BoxFuture, BrokenWorkerError, Error, Launcher, RuntimeSelector, Worker, WorkerProcess, is_forked, sleep,
    spawn_background,
};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};

pub(crate) type StartGuard = ledger::StartGuard<ContextInner>;
pub(crate) type RunningGuard = ledger::RunningGuard<ContextInner>;
pub(crate) type AbandonedGuard = ledger::AbandonedGuard<ContextInner>;

/// One context.
pub(crate) struct ContextInner {
    pub(crate) settings: ContextSettings,
    pub(crate) runtime: RuntimeSelector,
    pub(crate) may_retire: bool,
    pub(crate) launcher: Box<dyn Launcher>,
    /// That of its settings, or one of its own for `max_concurrency`.
    pub(crate) limiter: Option<Limiter>,
    ledger: WorkerLedger<Box<Worker>>,
    observer: Observer,
    /// The rest of the closing, if the background thread does not drive it.
    pub(super) closing: Mutex<Option<BoxFuture<()>>>,
}

impl ContextInner {
    pub(crate) fn new(builder: WorkerContextBuilder) -> Arc<Self> {
        #[cfg(feature = "tracing")]
        let builder = builder.with_forwarding();
        let observer = Observer::new(builder.label(), builder.settings.pool.diagnostics.metrics_by_function);
        let (runtime, launcher, settings) = (builder.runtime_selector(), builder.launcher(), builder.settings);
        let inner = Arc::new(Self {
            runtime,
            launcher,
            may_retire: settings.worker.retirement.is_possible(),
            limiter: settings
                .pool
                .calls
                .limiter
                .clone()
                .or_else(|| settings.pool.calls.max_concurrency.map(Limiter::new)),
            settings,
            ledger: WorkerLedger::new(
                #[cfg(feature = "metrics")]
                observer.gauges(),
            ),
            observer,
            closing: Mutex::new(None),
        });
        at_exit::register(Arc::downgrade(&inner) as _);
        inner
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// A worker comes back from a job: it goes to the cache, or leaves.
    #[inline]
    pub(crate) fn check_in(mut running: RunningGuard, worker: Box<Worker>) {
        if let Some(worker) = running.check_in(worker) {
            running.dismiss(*worker);
        }
        // A call whose own start has no index may wait for it.
        if running.settings.pool.start.worker_type.is_command() {
            running.ledger.wake_waiting();
        }
    }

    /// A worker that has not decided yet whether it stays goes to the back of the cache.
    pub(crate) fn check_in_at_back(mut running: RunningGuard, mut worker: Box<Worker>) {
        worker.set_decision_overdue();
        if let Some(worker) = running.check_in_at_back(worker) {
            running.dismiss(*worker);
        }
    }

    /// Asks a worker to leave.
    pub(crate) fn dismiss(self: &Arc<Self>, worker: Worker) {
        let context = Arc::clone(self);
        let leaving = worker.shut_down(sleep(self.settings.pool.shutdown.grace_period));
        spawn_background(async move {
            leaving.await;
            drop(context);
        });
    }

    /// Drops `work`, with [`Error::Closed`], once the context is killed.
    pub(crate) async fn unless_killed<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let killed = async {
            self.ledger.killed().await;
            Err(Error::Closed)
        };
        future::or(killed, work).await
    }

    /// How many calls can run at once, for their limiter.
    pub(crate) fn total_tokens(&self) -> usize {
        self.limiter.as_ref().map_or_else(|| default_limiter().total_tokens(), Limiter::total_tokens)
    }

    /// How many workers there can be: where commands start them, as many as there are indices.
    pub(crate) fn most_workers(&self) -> usize {
        if self.settings.pool.start.worker_type.is_command() { self.total_tokens() } else { usize::MAX }
    }

    pub(crate) fn has_workers(&self) -> bool {
        self.ledger.has_workers()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        // A fork of the program has no workers, and a thread that it does not have may hold the ledger's lock.
        let gauges = if is_forked() { Statistics::default() } else { self.ledger.statistics() };
        self.observer.totals(gauges)
    }

    pub(crate) fn is_closed(&self) -> bool {
        is_forked() || self.ledger.is_closed()
    }
}

impl HasLedger for ContextInner {
    type Worker = Box<Worker>;

    fn ledger(&self) -> &WorkerLedger<Box<Worker>> {
        &self.ledger
    }
}

impl fmt::Debug for ContextInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ContextInner");
        out.field("settings", &self.settings).field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl PooledWorker for Box<Worker> {
    type Process = WorkerProcess;
    type Unclean = BrokenWorkerError;

    fn serial(&self) -> u64 {
        Worker::serial(self)
    }

    fn process(&self) -> WorkerProcess {
        Worker::process(self)
    }

    fn is_retired(&self) -> bool {
        Worker::is_retired(self)
    }

    fn is_decision_overdue(&self) -> bool {
        Worker::is_decision_overdue(self)
    }

    fn unreported_end(process: &WorkerProcess) -> Option<BrokenWorkerError> {
        process.unreported_end()
    }

    fn correct(&mut self, unclean: &mut BrokenWorkerError) {
        Worker::correct_phase(self, unclean);
    }

    fn merge(noted: &mut BrokenWorkerError, more: BrokenWorkerError) {
        noted.merge(more);
    }
}

#[doc(hidden)]
impl From<Closed> for Error {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// An error in a fork of the program, whose cached workers belong to the process that it was forked from.
#[inline]
pub(crate) fn may_call() -> Result<(), Error> {
    if is_forked() { Err(in_a_fork()) } else { Ok(()) }
}

#[cold]
pub(crate) fn in_a_fork() -> Error {
    Error::Spawn(std::io::Error::other(
        "a fork of a process that has used offproc cannot have workers; start it anew with `exec`, or, if it is \
         itself a worker, use another `WorkerType`",
    ))
}
