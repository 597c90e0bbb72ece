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
        self.pool.start.check()?;
        self.pool.calls.check()?;
        self.pool.limits.check()?;
        self.pool.diagnostics.check()
    }
}
