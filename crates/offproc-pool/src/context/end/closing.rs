//! Closes a context: it takes no new calls, asks its idle workers to leave, and waits for the others.
#![allow(clippy::vec_box, reason = "a worker stays in its box when it goes from hand to hand")]

use super::at_exit::EndsWithProgram;
use crate::context::inner::ContextInner;
use crate::context::ledger::HasLedger;
use crate::observe::settled;
use futures_lite::future;
use offproc_core::{
    BoxFuture, BrokenWorkerError, Worker, WorkerProcess, ensure_background, is_forked, sleep, spawn_background,
};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The shortest time that a fork server has to leave: a short grace period is meant for workers.
const LAUNCHER_GRACE: Duration = Duration::from_secs(1);

impl ContextInner {
    /// Closes for new calls and asks all idle workers to leave. Those with a job leave after it.
    pub(crate) fn begin_close(self: &Arc<Self>) {
        if is_forked() {
            return; // a fork does not own the workers, and a thread that is not in it may have locked the ledger
        }
        if let Some(idle) = self.ledger().close() {
            self.end(idle);
        }
    }

    /// Kills all that runs, and closes for new calls. Does not wait.
    pub(crate) fn kill(self: &Arc<Self>) {
        if is_forked() {
            return;
        }
        let idle = self.ledger().close();
        // Kill first: an idle worker that is asked to leave may do so before it is killed.
        for process in self.ledger().kill() {
            process.kill_with_context();
        }
        if let Some(idle) = idle {
            self.end(idle);
        }
    }

    /// Ends a context that has just been closed, starting with its idle workers.
    fn end(self: &Arc<Self>, idle: Vec<Box<Worker>>) {
        for worker in idle {
            self.dismiss(*worker);
        }
        let context = Arc::clone(self);
        let over = Over { context: Arc::clone(self), unclean: None };
        let mut closing: BoxFuture<()> = Box::pin(async move {
            context.ledger().all_gone().await;
            // After its workers, which a fork server has to reap.
            let grace = context.settings.pool.shutdown.grace_period.max(LAUNCHER_GRACE);
            let patient = sleep(grace);
            let impatient = context.killed_since(LAUNCHER_GRACE);
            let close = context.launcher.close(Box::pin(future::or(patient, impatient)));
            // A call that is not polled may be about to start a worker, and keep the launcher.
            let given_up = async {
                context.killed_since(LAUNCHER_GRACE * 2).await;
                None
            };
            let unclean = future::or(close, given_up).await;
            if let Some(forwarding) = &context.settings.worker.log_forwarding {
                forwarding.settled().await;
            }
            settled().await;
            over.finish(unclean);
        });
        // If there is nothing to wait for, it is over now. Otherwise the background thread, or a waiting close, polls
        // it again.
        if closing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            *self.lock_closing() = Some(closing);
            self.drive_closing_in_background();
        }
    }

    fn lock_closing(&self) -> MutexGuard<'_, Option<BoxFuture<()>>> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The background thread goes on with the closing; if the system has no room for that thread, the polls of those
    /// who wait for the closing do.
    fn drive_closing_in_background(&self) {
        if self.lock_closing().is_some() && ensure_background().is_ok() {
            let closing = self.lock_closing().take();
            closing.into_iter().for_each(spawn_background);
        }
    }

    /// Polls the closing, if the background thread does not.
    fn poll_closing(&self, cx: &mut Context<'_>) {
        self.drive_closing_in_background();
        // Polled without the lock: it wakes those who wait for it, and they may call this at once.
        let Some(mut closing) = self.lock_closing().take() else { return };
        if closing.as_mut().poll(cx).is_pending() {
            *self.lock_closing() = Some(closing);
        }
    }

    /// Ready once the context was killed that long ago.
    fn killed_since(self: &Arc<Self>, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let context = Arc::clone(self);
        async move {
            context.ledger().killed().await;
            sleep(time).await;
        }
    }

    /// Closes, and kills all that is left after that time.
    pub(crate) fn begin_close_within(self: &Arc<Self>, within: Duration) {
        if is_forked() {
            return;
        }
        self.begin_close();
        // Without a background thread, nothing was started, and it is over now; a background task would wait for that
        // thread, and keep the context.
        if self.ledger().is_over() {
            return;
        }
        let context = Arc::clone(self);
        spawn_background(async move {
            let is_empty = async {
                context.ledger().empty().await;
                false
            };
            let is_late = async {
                sleep(within).await;
                true
            };
            if future::or(is_empty, is_late).await {
                context.kill();
            }
        });
    }

    /// Waits until a closed context has nothing left.
    pub(crate) async fn wait_closed(&self) -> Result<(), BrokenWorkerError> {
        if is_forked() {
            return Ok(());
        }
        let _closer = Closer(self);
        // For as long as this waits, also if another task drives the closing.
        let _clock = self.runtime.current().hold_clock();
        let mut over = pin!(self.ledger().over());
        poll_fn(|cx| {
            if is_forked() {
                return Poll::Ready(Ok(()));
            }
            self.poll_closing(cx);
            over.as_mut().poll(cx).map(|unclean| unclean.map_or(Ok(()), Err))
        })
        .await
    }

    /// Ready once the context was closed a grace period ago.
    pub(crate) async fn overdue(&self) {
        self.ledger().closed().await;
        sleep(self.settings.pool.shutdown.grace_period).await;
    }
}

impl EndsWithProgram for ContextInner {
    fn grace_period(&self) -> Duration {
        self.settings.pool.shutdown.grace_period
    }

    fn begin_end(&self) -> (Vec<Box<Worker>>, Vec<WorkerProcess>) {
        let (mut idle, members) = self.ledger().end();
        for worker in &mut idle {
            worker.request_shutdown();
        }
        // Lent: with a job, or to a call that is no longer polled and would never return it.
        for member in members.iter().filter(|member| !member.is_leaving()) {
            member.kill();
        }
        (idle, members)
    }

    fn end_launcher(&self, deadline: Instant) {
        self.launcher.end(deadline);
    }
}

/// Waits for the closing, and may be the one that drives it. When it is dropped, another one may have to.
struct Closer<'a>(&'a ContextInner);

impl Drop for Closer<'_> {
    fn drop(&mut self) {
        if !is_forked() && self.0.lock_closing().is_some() {
            self.0.ledger().wake_waiting();
        }
    }
}

/// Marks the close as over when it is dropped, however it ends, so that no waiter waits for ever.
struct Over {
    context: Arc<ContextInner>,
    unclean: Option<BrokenWorkerError>,
}

impl Over {
    fn finish(mut self, unclean: Option<BrokenWorkerError>) {
        self.unclean = unclean;
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.context.ledger().finish(self.unclean.take());
    }
}
