//! Workers that are started before the first call.

use super::inner::{ContextInner, StartGuard, may_call};
use super::ledger::{HasLedger, WorkerLedger};
use super::worker_context::WorkerContext;
use offproc_core::{BoxFuture, Error, ensure_background, spawn_background};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// How many workers of a context start at a time, at most, for its warm-ups.
const AT_A_TIME: usize = 16;

impl WorkerContext {
    /// Starts workers until at least `n` have been started and initialised, so that the first calls find them.
    ///
    /// Workers that the context has already count, those with a job included; if there are enough, offproc starts none.
    /// It takes no tokens: `n` may be more than the limiter lets run, and the workers then wait in the cache. There
    /// they stay until their [idle timeout](crate::WorkerContextBuilder::idle_timeout), so warm up shortly before you
    /// need them; [`spare_workers`](crate::WorkerContextBuilder::spare_workers) keeps some ready all the time.
    ///
    /// Several warm-ups at a time start what the largest of them needs, not the sum.
    ///
    /// # Errors
    ///
    /// The error of the first worker that could not be started, as a call would get it, and [`Error::Closed`]. The
    /// other workers stay.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future starts no further workers. Those that are being started go to the cache.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::WorkerContext;
    ///
    /// let context = WorkerContext::builder().open()?;
    /// context.warm_up(2).await?;
    /// assert_eq!(context.statistics().idle_workers, 2);
    /// context.close().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn warm_up(&self, n: usize) -> WarmUp {
        let context = self.clone();
        WarmUp(Some(Box::pin(async move { context.inner().warm_up(n).await })))
    }
}

/// The future of [`WorkerContext::warm_up`].
///
/// # Panics
///
/// When polled after it has resolved.
#[must_use = "no worker is started until this is awaited"]
pub struct WarmUp(Option<BoxFuture<Result<(), Error>>>);

impl Future for WarmUp {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let warm_up = self.0.as_mut().expect("a warm-up was polled after it had resolved");
        let polled = warm_up.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl fmt::Debug for WarmUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmUp").finish_non_exhaustive()
    }
}

/// What became of the starts of one warm-up.
#[derive(Default)]
struct Progress {
    /// Some of these workers may have ended again: they are not started twice.
    started: usize,
    failed: Option<Error>,
}

impl Progress {
    fn note(&mut self, start: Result<(), Error>) {
        match start {
            Ok(()) => self.started += 1,
            Err(error) => self.failed = Some(self.failed.take().unwrap_or(error)),
        }
    }

    /// True if the warm-up has done all, or cannot do it.
    fn is_over(&self, wanted: usize) -> bool {
        self.started >= wanted.max(1) || self.failed.is_some()
    }
}

impl ContextInner {
    async fn warm_up(self: &Arc<Self>, wanted: usize) -> Result<(), Error> {
        may_call()?;
        ensure_background().map_err(Error::Spawn)?;
        let wanted = wanted.min(self.most_workers());
        let _clock = self.runtime.current().hold_clock();
        let progress = Arc::new(Mutex::new(Progress::default()));
        let of_now = || progress.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if of_now().is_over(wanted) {
                return of_now().failed.take().map_or(Ok(()), Err);
            }
            let Some(starts) = WorkerLedger::begin_warm_up(self, wanted, AT_A_TIME)? else { return Ok(()) };
            for starting in starts {
                self.start_for(starting, &progress);
            }
            self.ledger().until_warmer(wanted, AT_A_TIME, || of_now().is_over(wanted)).await;
        }
    }

    /// Runs in the background, so that it goes on if the warm-up is dropped.
    fn start_for(self: &Arc<Self>, starting: StartGuard, progress: &Arc<Mutex<Progress>>) {
        let (context, progress) = (Arc::clone(self), Arc::clone(progress));
        spawn_background(async move {
            let started = context.start_for_cache(starting).await;
            progress.lock().unwrap_or_else(PoisonError::into_inner).note(started);
            context.ledger().wake_waiting();
        });
    }
}
