//! The settings of a context: those that workers get, and the pool's own. Each is declared in one place: in the core's
//! `settings/` if a worker, or its start, depends on it, and else in a file beside this one.

#[macro_use]
mod table;

#[macro_use]
mod calls;
#[macro_use]
mod diagnostics;
#[macro_use]
mod limits;
#[cfg(feature = "tracing")]
#[macro_use]
mod logging;
#[macro_use]
mod shutdown;
#[macro_use]
mod start;
#[macro_use]
mod transport;

use super::per_worker::PerWorker;
use offproc_core::{ConfigError, Settings};
#[cfg(feature = "tracing")]
use offproc_tracing::LevelFilter;

/// What a builder sets and its context has.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContextSettings {
    /// Those that a worker, or its start, depends on.
    pub(crate) worker: Settings,
    /// Those that only the pool acts on.
    pub(crate) pool: PoolSettings,
}

/// The pool's own settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct PoolSettings {
    pub(crate) per_worker: Option<PerWorker>,
    pub(crate) start: start::Start,
    pub(crate) calls: calls::Calls,
    pub(crate) limits: limits::CallLimits,
    pub(crate) transport: transport::Transport,
    pub(crate) diagnostics: diagnostics::Diagnostics,
    pub(crate) shutdown: shutdown::Shutdown,
    #[cfg(feature = "tracing")]
    pub(crate) logging: logging::Logging,
}

impl ContextSettings {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.worker.check()?;
        self.pool.start.worker_type.check(&self.worker)?;
        let has_limiter = self.pool.calls.limiter.is_some() || self.pool.calls.max_concurrency.is_some();
        if self.pool.start.worker_type.is_command() && !has_limiter {
            return Err(ConfigError::new(
                "a context with `WorkerType::command` needs `max_concurrency` or `limiter`: the default limiter counts \
                 the CPUs of this machine",
            ));
        }
        #[cfg(feature = "tracing")]
        if self.pool.start.worker_type.is_command() && self.pool.logging.forward_tracing > LevelFilter::OFF {
            return Err(ConfigError::new(
                "`forward_tracing` is not for workers of `WorkerType::command` so far: what their jobs log goes where \
                 the program says in `init`",
            ));
        }
        self.pool.start.check()?;
        self.pool.calls.check()?;
        self.pool.limits.check()?;
        self.pool.diagnostics.check()
    }
}
