//! Contexts: workers of one kind, kept apart from others.

use crate::builder::{ConfigError, WorkerContextBuilder};
use crate::call::{RunSync, run_sync};
use crate::shared::Shared;
use crate::statistics::Statistics;
use offproc_core::{BrokenWorkerError, Resource, Signals, Transport, WorkerType};
use serde::{Serialize, de::DeserializeOwned};
use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A set of workers with settings of their own. Clones are handles to the same workers.
///
/// When the last handle is dropped without [`close`](Self::close), the idle workers are asked to leave, and those with
/// a job leave after it; who has not left a grace period later is killed.
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

struct Handle(Arc<Shared>);

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

    pub(crate) fn open(builder: WorkerContextBuilder) -> Self {
        Self { handle: Arc::new(Handle(Shared::new(builder))) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.0
    }

    /// [`run_sync`](crate::run_sync()) on this context's workers.
    #[track_caller]
    pub fn run_sync<A, R>(&self, f: fn(A) -> R, arg: A) -> RunSync<A, R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        run_sync(f, arg).on(self)
    }

    /// How many workers there are, and what they do.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared().statistics()
    }

    /// See [`WorkerContextBuilder::idle_timeout`].
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        self.shared().settings.idle_timeout
    }

    /// See [`WorkerContextBuilder::sandbox`].
    #[must_use]
    pub fn sandbox(&self) -> Option<fn()> {
        self.shared().settings.sandbox
    }

    /// See [`WorkerContextBuilder::init`].
    #[must_use]
    pub fn init(&self) -> Option<fn()> {
        self.shared().settings.init
    }

    /// See [`WorkerContextBuilder::retire`].
    #[must_use]
    pub fn retire(&self) -> Option<fn() -> bool> {
        self.shared().settings.retire
    }

    /// See [`WorkerContextBuilder::grace_period`].
    #[must_use]
    pub fn grace_period(&self) -> Duration {
        self.shared().grace_period
    }

    /// See [`WorkerContextBuilder::worker_type`].
    #[must_use]
    pub fn worker_type(&self) -> WorkerType {
        self.shared().worker_type
    }

    /// See [`WorkerContextBuilder::spare_workers`].
    #[must_use]
    pub fn spare_workers(&self) -> usize {
        self.shared().spare_workers
    }

    /// See [`WorkerContextBuilder::start_timeout`].
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        self.shared().settings.start_timeout
    }

    /// See [`WorkerContextBuilder::retire_after_jobs`].
    #[must_use]
    pub fn retire_after_jobs(&self) -> Option<RangeInclusive<u64>> {
        self.shared().settings.retire_after_jobs.clone()
    }

    /// See [`WorkerContextBuilder::retire_after_age`].
    #[must_use]
    pub fn retire_after_age(&self) -> Option<Duration> {
        self.shared().settings.retire_after_age
    }

    /// See [`WorkerContextBuilder::retire_above_memory`].
    #[must_use]
    pub fn retire_above_memory(&self) -> Option<u64> {
        self.shared().settings.retire_above_memory
    }

    /// See [`WorkerContextBuilder::preload`].
    #[must_use]
    pub fn preload(&self) -> Option<fn()> {
        self.shared().settings.preload
    }

    /// See [`WorkerContextBuilder::signals`].
    #[must_use]
    pub fn signals(&self) -> Signals {
        self.shared().settings.signals
    }

    /// See [`WorkerContextBuilder::kill_tree`].
    #[must_use]
    pub fn kill_tree(&self) -> bool {
        self.shared().settings.kill_tree
    }

    /// See [`WorkerContextBuilder::keep_stderr`].
    #[must_use]
    pub fn keep_stderr(&self) -> bool {
        self.shared().settings.keep_stderr
    }

    /// See [`WorkerContextBuilder::fault_details`].
    #[must_use]
    pub fn fault_details(&self) -> bool {
        self.shared().settings.fault_details
    }

    /// See [`WorkerContextBuilder::env`]: what is set, and what is removed, in order.
    #[must_use]
    pub fn env(&self) -> &[(OsString, Option<OsString>)] {
        &self.shared().settings.environment
    }

    /// See [`WorkerContextBuilder::current_dir`].
    #[must_use]
    pub fn current_dir(&self) -> Option<&Path> {
        self.shared().settings.directory.as_deref()
    }

    /// See [`WorkerContextBuilder::nice`].
    #[must_use]
    pub fn nice(&self) -> Option<i32> {
        self.shared().settings.nice
    }

    /// See [`WorkerContextBuilder::cpu_affinity`].
    #[must_use]
    pub fn cpu_affinity(&self) -> Option<&[usize]> {
        self.shared().settings.cpus.as_deref()
    }

    /// See [`WorkerContextBuilder::resource_limit`].
    #[must_use]
    pub fn resource_limits(&self) -> &[(Resource, u64)] {
        &self.shared().settings.limits
    }

    /// See [`WorkerContextBuilder::time_limit`].
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        self.shared().limits?.time
    }

    /// See [`WorkerContextBuilder::cpu_limit`].
    #[must_use]
    pub fn cpu_limit(&self) -> Option<Duration> {
        self.shared().limits?.cpu
    }

    /// See [`WorkerContextBuilder::memory_limit`].
    #[must_use]
    pub fn memory_limit(&self) -> Option<u64> {
        self.shared().limits?.memory
    }

    /// See [`WorkerContextBuilder::soft_time_limit`].
    #[must_use]
    pub fn soft_time_limit(&self) -> Option<Duration> {
        self.shared().limits?.soft_time
    }

    /// See [`WorkerContextBuilder::soft_cpu_limit`].
    #[must_use]
    pub fn soft_cpu_limit(&self) -> Option<Duration> {
        self.shared().limits?.soft_cpu
    }

    /// See [`WorkerContextBuilder::soft_memory_limit`].
    #[must_use]
    pub fn soft_memory_limit(&self) -> Option<u64> {
        self.shared().limits?.soft_memory
    }

    /// See [`WorkerContextBuilder::spin`].
    #[must_use]
    pub fn spin(&self) -> Duration {
        self.shared().settings.spin
    }

    /// See [`WorkerContextBuilder::transport`].
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.shared().settings.transport
    }

    /// See [`WorkerContextBuilder::frame_limit`].
    #[must_use]
    pub fn frame_limit(&self) -> usize {
        self.shared().settings.frame_limit
    }

    /// Ends the context: calls that still wait for a token (when it comes), and all later ones, get
    /// [`Error::Closed`](crate::Error::Closed); jobs under way are waited for; then the workers leave and are reaped.
    ///
    /// A job that somebody still waits for may take as long as it needs. Abandoned jobs and leaving workers have the
    /// [grace period](Self::grace_period), and are then killed.
    ///
    /// # Errors
    ///
    /// [`BrokenWorkerError`]: workers ended uncleanly, now or while they were idle, or had to be killed; all are
    /// counted, and the first ones named. A second `close` reports only what came after the first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after its first poll does not stop the closing, which goes on by itself.
    pub async fn close(&self) -> Result<(), BrokenWorkerError> {
        let shared = Arc::clone(self.shared());
        shared.begin_close();
        shared.wait_closed().await
    }
}

impl fmt::Debug for WorkerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerContext").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

/// The default context is never closed: it belongs to no runtime, but to the process.
static DEFAULT: Mutex<Option<WorkerContext>> = Mutex::new(None);

pub(crate) fn default_context() -> WorkerContext {
    let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    default.get_or_insert_with(|| WorkerContext::open(WorkerContextBuilder::default())).clone()
}

/// Replaces the settings of the default context. Meant to be called once, early, by the program and not by a library.
/// A call that waits for its limiter's token meanwhile runs with the new ones.
///
/// # Errors
///
/// [`ConfigError`]: a setting makes no sense, or the default context has workers already, which the new settings
/// would not reach.
///
/// # Examples
///
/// ```
/// use offproc::{Signals, WorkerContext, configure_default_context};
///
/// configure_default_context(WorkerContext::builder().signals(Signals::IgnoreTerminate))?;
/// # Ok::<(), offproc::ConfigError>(())
/// ```
pub fn configure_default_context(builder: WorkerContextBuilder) -> Result<(), ConfigError> {
    let context = builder.open()?;
    let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    if default.as_ref().is_some_and(|used| used.shared().has_workers()) {
        return Err(ConfigError(
            "the default context has workers already, which new settings would not reach; configure it before the \
             first call"
                .to_owned(),
        ));
    }
    *default = Some(context);
    Ok(())
}

/// How many workers the default context has, and what they do.
#[must_use]
pub fn default_context_statistics() -> Statistics {
    default_context().statistics()
}
