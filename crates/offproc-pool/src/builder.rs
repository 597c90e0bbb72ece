//! Settings of a context.

use crate::context::WorkerContext;
use offproc_core::{Host, Launcher, Runtime, Settings, Spawn};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A setting that cannot work.
#[derive(Clone, Debug)]
pub struct ConfigError(pub(crate) String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Builds a [`WorkerContext`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `open` is called"]
pub struct WorkerContextBuilder {
    pub(crate) settings: Settings,
    pub(crate) grace_period: Duration,
    pub(crate) runtime: Option<Arc<dyn Runtime>>,
}

impl Default for WorkerContextBuilder {
    fn default() -> Self {
        Self { settings: Settings::default(), grace_period: Duration::from_secs(30), runtime: None }
    }
}

impl WorkerContextBuilder {
    /// How long a worker stays without a job before it ends itself; 600 s by default. [`Duration::MAX`]: for ever.
    /// [`Duration::ZERO`]: it leaves after each job, unless the next one is there already.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// A function that is run once in each worker before its first job. What it sets up stays for all the jobs of
    /// that worker.
    ///
    /// If it panics, the call that needed the worker gets [`Error::Panicked`](crate::Error::Panicked); if it kills the
    /// worker, [`Error::BrokenWorker`](crate::Error::BrokenWorker). After repeated failures the context waits a
    /// little, up to a second, before it tries again.
    pub fn init(mut self, init: fn()) -> Self {
        self.settings.init = Some(init);
        self
    }

    /// A function that is run in the worker after each job; `true` retires the worker.
    ///
    /// The caller has its result by then, and the next call gets another worker. If the function panics, the worker
    /// ends, with the message on stderr, and [`close`](WorkerContext::close) reports it.
    pub fn retire(mut self, retire: fn() -> bool) -> Self {
        self.settings.retire = Some(retire);
        self
    }

    /// How long [`close`](WorkerContext::close) waits for workers before it kills them; 30 s by default.
    /// [`Duration::MAX`]: for ever.
    pub fn grace_period(mut self, period: Duration) -> Self {
        self.grace_period = period;
        self
    }

    /// How long a worker may take until it is ready for its first job, its [`init`](Self::init) function included;
    /// 60 s by default. A worker that takes longer is killed, and the call gets [`Error::Spawn`](crate::Error::Spawn).
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.settings.start_timeout = timeout;
        self
    }

    /// The largest argument or result, in serialised bytes; 1 GiB by default, at least 1 KiB. A larger one is an
    /// [`Error::Encode`](crate::Error::Encode).
    pub fn frame_limit(mut self, bytes: usize) -> Self {
        self.settings.frame_limit = bytes;
        self
    }

    /// Pins the context to one runtime, instead of the one that polls each call.
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    /// Opens the context. Its workers start when calls need them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: a setting makes no sense, or `init` or `retire` is not part of this program's executable.
    pub fn open(self) -> Result<WorkerContext, ConfigError> {
        self.settings.check().map_err(ConfigError)?;
        Ok(WorkerContext::open(self))
    }

    pub(crate) fn launcher(&self) -> Box<dyn Launcher> {
        Box::new(Spawn)
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(self.runtime.clone(), crate::runtime::detect)
    }
}
