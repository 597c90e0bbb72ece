//! Contexts: sets of workers with settings of their own.

use crate::context::builder::WorkerContextBuilder;
use crate::context::end::{Close, CloseWithin};
use crate::context::inner::ContextInner;
use crate::context::ledger::Statistics;
use crate::limiter::Limiter;
use crate::limiter::default::default_limiter;
use offproc_core::ConfigError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A set of workers with settings of their own. Clones are handles to the same workers.
///
/// When the last handle is dropped without [`close`](Self::close), the idle workers are asked to leave, and those with
/// a job leave after it; offproc kills those that have not left a grace period later.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::WorkerContext;
///
/// let context = WorkerContext::builder().retire_after_jobs(90..=110).open()?;
/// let length = context.run_sync(|text: String| text.len(), "four".to_owned()).await?;
/// assert_eq!(length, 4);
/// context.close().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct WorkerContext {
    handle: Arc<Handle>,
}

struct Handle(Arc<ContextInner>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.begin_close();
    }
}

impl WorkerContext {
    /// Settings for a context.
    pub fn builder() -> WorkerContextBuilder {
        WorkerContextBuilder::default()
    }

    pub(crate) fn new(builder: WorkerContextBuilder) -> Self {
        Self { handle: Arc::new(Handle(ContextInner::new(builder))) }
    }

    pub(crate) fn inner(&self) -> &Arc<ContextInner> {
        &self.handle.0
    }

    /// The numbers of workers and calls.
    ///
    /// Cheap enough to be read every second, or every millisecond: it takes one lock, which is held for a few loads
    /// wherever it is taken, and makes no system call unless it has to wait for that.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.inner().statistics()
    }

    /// The limiter that the context's calls use: that of [`WorkerContextBuilder::limiter`], or of
    /// [`WorkerContextBuilder::max_concurrency`], or the default one.
    #[must_use]
    pub fn limiter(&self) -> Limiter {
        self.inner().limiter.clone().unwrap_or_else(default_limiter)
    }

    /// The former name of [`max_spin`](Self::max_spin).
    #[doc(hidden)]
    #[must_use]
    pub fn spin(&self) -> Duration {
        self.max_spin()
    }

    /// The former name of [`max_message_size`](Self::max_message_size).
    #[doc(hidden)]
    #[must_use]
    pub fn frame_limit(&self) -> usize {
        self.max_message_size()
    }

    /// True once it is closed, or closing: calls get [`Error::Closed`](crate::Error::Closed).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner().is_closed()
    }

    /// Ends the context. Calls that still wait for a token, and all later ones, get
    /// [`Error::Closed`](crate::Error::Closed) at once. `close` waits for running jobs; then the workers leave and are
    /// reaped.
    ///
    /// A job whose call is still there may take as long as it needs. Abandoned jobs and leaving workers have the [grace
    /// period](Self::grace_period), and are then killed.
    ///
    /// # Errors
    ///
    /// [`BrokenWorkerError`](crate::BrokenWorkerError): workers ended uncleanly, now or while they were idle, or had to
    /// be killed; it counts all, and describes the first ones. A second `close` reports only what came after the first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after its first poll does not stop the closing, which goes on in the background.
    pub fn close(&self) -> Close {
        Close::new(self.inner())
    }

    /// As [`close`](Self::close), but jobs whose calls are still there have only this time, too, or the [grace
    /// period](Self::grace_period) if that is shorter: then all that is left is [killed](Self::kill), and those calls
    /// get [`Error::Closed`](crate::Error::Closed).
    ///
    /// # Errors
    ///
    /// As `close`. The workers that were killed [are counted](crate::BrokenWorkerError::killed).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after its first poll stops neither the closing nor the kill: both go on in the background.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{Error, WorkerContext};
    /// use std::time::Duration;
    ///
    /// let context = WorkerContext::builder().open()?;
    /// let endless = async { context.run_sync(|()| -> () { loop {} }, ()).await };
    /// let (call, closed) = futures_lite::future::zip(endless, context.close_within(Duration::from_millis(50))).await;
    /// assert!(matches!(call, Err(Error::Closed)));
    /// assert_eq!(closed.unwrap_err().killed(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn close_within(&self, within: Duration) -> CloseWithin {
        CloseWithin::new(self.inner(), within)
    }

    /// Ends the context at once: this kills its workers, with the jobs that they run, and all its calls get
    /// [`Error::Closed`](crate::Error::Closed). It does not wait; a [`close`](Self::close) afterwards does, until the
    /// workers are reaped, and its error [counts](crate::BrokenWorkerError::killed) them.
    pub fn kill(&self) {
        self.inner().kill();
    }
}

impl WorkerContextBuilder {
    /// Opens the context. Its workers start when calls need them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: a setting cannot work, or a function such as `init`, `retire` or `preload` is not part of this
    /// program's executable, or the value of [`init_with`](Self::init_with) cannot be serialised.
    pub fn open(mut self) -> Result<WorkerContext, ConfigError> {
        self.settings.check()?;
        self.encode_state()?;
        let context = WorkerContext::new(self);
        context.inner().observer().opened();
        Ok(context)
    }
}

impl fmt::Debug for WorkerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerContext").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}
