//! Starts a context's workers.

use super::inner::{ContextInner, StartGuard};
use super::ledger::{HasLedger, WorkerLedger};
use crate::timing::Clocks;
use offproc_core::{
    BrokenWorkerError, Error, RuntimeSelector, Settings, Station, Worker, WorkerExit, ensure_background, sleep,
    spawn_background,
};
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
        for starting in WorkerLedger::begin_spares(self, self.settings.pool.start.spare_workers) {
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
        let (worker, mut starting) = self.unless_killed(self.start(&runtime, None, starting)).await?;
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
        // It wakes timers, and reaps.
        ensure_background().map_err(Error::Spawn).inspect_err(|_| self.observer().start_failed())?;
        let _clock = runtime.current().hold_clock();
        let pause = self.ledger().next_start().map(|next| next.saturating_duration_since(Instant::now()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            self.observer().start_delayed(pause);
            sleep(pause).await;
        }
        // One worker has its state, and what is its own, at a time.
        let patiently = self.settings.pool.per_worker.is_some() || self.settings.worker.state.is_some();
        let index = WorkerLedger::take_index(self, patiently, || self.total_tokens()).await;
        if let Some(clocks) = clocks {
            clocks.enter(Station::Starting);
        }
        let started = async {
            let settings = self.settings_of(index.index()).await?;
            Worker::start(&*self.launcher, &settings, runtime).await
        };
        let worker = match started.await {
            Ok(worker) => Box::new(worker),
            Err(error) => {
                self.observer().start_failed();
                self.ledger().start_failed();
                return Err(self.with_index(error, index.index()));
            }
        };
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
        Ok((worker, starting))
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
