//! Starts a context's workers.

use super::inner::{ContextInner, StartGuard};
use super::ledger::{HasLedger, IndexGuard, Turn, WorkerLedger};
use crate::timing::Clocks;
use futures_lite::future;
use offproc_core::{
    BrokenWorkerError, Error, RuntimeSelector, Settings, Station, Worker, WorkerExit, ensure_background, sleep,
    spawn_background,
};
use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Instant;

impl ContextInner {
    /// Starts the spare workers that are missing.
    #[inline]
    pub(crate) fn top_up(self: &Arc<Self>) {
        if self.settings.pool.start.spare_workers > 0 {
            self.start_spares();
        }
    }

    fn start_spares(self: &Arc<Self>) {
        for starting in WorkerLedger::begin_spares(self, self.settings.pool.start.spare_workers, self.most_workers()) {
            spawn_background(async move {
                let context = Arc::clone(&starting);
                // After a failure, the next start is that of a call that needs a worker, which gets the error.
                let _ = context.start_for_cache(starting).await;
            });
        }
    }

    /// Starts a worker for the cache, on the background thread.
    pub(super) async fn start_for_cache(self: &Arc<Self>, starting: StartGuard) -> Result<(), Error> {
        // No runtime is current there.
        let runtime = RuntimeSelector::fallback();
        let start = async {
            if self.settings.pool.start.worker_type.is_command() {
                self.start_by_command(&runtime, None, starting, false).await
            } else {
                self.start(&runtime, None, starting).await.map(Some)
            }
        };
        // `None`: all indices have workers by now.
        let Some((worker, mut starting)) = self.unless_killed(start).await? else { return Ok(()) };
        if let Some(worker) = starting.check_in(worker) {
            self.dismiss(*worker);
        }
        Ok(())
    }

    /// Starts a worker.
    pub(crate) async fn start(
        self: &Arc<Self>,
        runtime: &RuntimeSelector,
        clocks: Option<&Clocks>,
        starting: StartGuard,
    ) -> Result<(Box<Worker>, StartGuard), Error> {
        let _clock = runtime.current().hold_clock();
        self.pause_before_start().await?;
        // One worker has its state, and what is its own, at a time.
        let patiently = self.settings.pool.per_worker.is_some() || self.settings.worker.state.is_some();
        let index = WorkerLedger::take_index(self, patiently, || self.total_tokens()).await;
        if let Some(clocks) = clocks {
            clocks.enter(Station::Starting);
        }
        match self.start_at(runtime, &index).await {
            Ok(worker) => Ok((self.enter(worker, index), starting)),
            Err(error) => {
                self.ledger().start_failed();
                Err(error)
            }
        }
    }

    /// It wakes timers, and reaps. From the second failure in a row on there is a pause.
    async fn pause_before_start(&self) -> Result<(), Error> {
        ensure_background().map_err(Error::Spawn).inspect_err(|_| self.observer().start_failed())?;
        let pause = self.ledger().next_start().map(|next| next.saturating_duration_since(Instant::now()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            self.observer().start_delayed(pause);
            sleep(pause).await;
        }
        Ok(())
    }

    async fn start_at(&self, runtime: &RuntimeSelector, index: &IndexGuard<Self>) -> Result<Box<Worker>, Error> {
        let started = async {
            let settings = self.settings_of(index.index()).await?;
            Worker::start(&*self.launcher, &settings, runtime).await
        };
        started.await.map(Box::new).map_err(|error| {
            self.observer().start_failed();
            self.with_index(error, index.index())
        })
    }

    /// Starts a worker by a command: one that fails rests, and another index has its turn. `None`: a worker has become
    /// idle meanwhile. A start that is not `patient` waits for none.
    pub(crate) async fn start_by_command(
        self: &Arc<Self>,
        runtime: &RuntimeSelector,
        clocks: Option<&Clocks>,
        starting: StartGuard,
        patient: bool,
    ) -> Result<Option<(Box<Worker>, StartGuard)>, Error> {
        let _clock = runtime.current().hold_clock();
        self.pause_before_start().await?;
        let mut failed = BTreeSet::new();
        loop {
            let index = match WorkerLedger::turn(self, self.total_tokens(), patient, Instant::now()) {
                Turn::Index(index) => index,
                Turn::Idle => return Ok(None),
                Turn::AllRest((kind, cause)) => return Err(Error::Spawn(io::Error::new(kind, cause))),
                Turn::Wait(until) => {
                    let pause = async {
                        match until {
                            Some(until) => sleep(until.saturating_duration_since(Instant::now())).await,
                            None => pending().await,
                        }
                    };
                    future::or(self.ledger().until_turn(|| self.total_tokens()), pause).await;
                    continue;
                }
            };
            if let Some(clocks) = clocks {
                clocks.enter(Station::Starting);
            }
            let since = Instant::now();
            match self.start_at(runtime, &index).await {
                Ok(worker) => {
                    self.ledger().is_up(index.index());
                    return Ok(Some((self.enter(worker, index), starting)));
                }
                Err(Error::Spawn(e)) => {
                    let cause = (e.kind(), e.to_string());
                    failed.insert(index.index());
                    let goes_on = self.ledger().rests(index.keep(), cause, self.total_tokens(), since);
                    // Those that only start, for other calls, are as likely to fail as they have for this one.
                    let have_all_failed = failed.len() >= self.total_tokens() && !self.ledger().has_members();
                    if !goes_on || have_all_failed {
                        return Err(Error::Spawn(e));
                    }
                }
                // In a function of the context's: it is the same everywhere.
                Err(error) => {
                    self.ledger().start_failed();
                    return Err(error);
                }
            }
        }
    }

    fn enter(self: &Arc<Self>, worker: Box<Worker>, index: IndexGuard<Self>) -> Box<Worker> {
        let observer = self.observer().worker_started(worker.process().pid());
        if self.settings.worker.state.is_some() {
            self.observer().state_made();
        }
        let stays = self.ledger().enter(&worker, index.keep());
        let (context, serial) = (Arc::downgrade(self), worker.serial());
        let ended = move |unclean| {
            if let Some(context) = context.upgrade() {
                context.ledger().ended(serial, unclean);
            }
        };
        let context = Arc::downgrade(self);
        let exited = move |exit: WorkerExit| {
            let context = context.upgrade();
            if let Some(context) = &context {
                context.observer().worker_exited(exit.kind);
            }
            observer.exited(exit, context.is_none_or(|context| context.ledger().is_closed()));
        };
        worker.on_end(ended, exited);
        if !stays {
            worker.process().kill_with_context();
        }
        worker
    }
}

/// What is of one worker alone.
impl ContextInner {
    /// The settings of the worker with this index.
    async fn settings_of(&self, index: usize) -> Result<Arc<Settings>, Error> {
        let settings = Settings { index: Some(index), ..self.settings.worker.clone() };
        match &self.settings.pool.per_worker {
            None => Ok(Arc::new(settings)),
            Some(per_worker) => per_worker.settings(index, settings).await.map(Arc::new).map_err(Error::Spawn),
        }
    }

    /// The error of a worker with settings of its own that could not be started.
    fn with_index(&self, error: Error, index: usize) -> Error {
        match error {
            // Neither one of the system's own, which would lose its code, nor the report of a death.
            Error::Spawn(e)
                if self.settings.pool.per_worker.is_some()
                    && e.raw_os_error().is_none()
                    && !e.get_ref().is_some_and(|inner| inner.is::<BrokenWorkerError>()) =>
            {
                Error::Spawn(io::Error::new(e.kind(), format!("{e} (the worker with index {index})")))
            }
            error => error,
        }
    }
}
