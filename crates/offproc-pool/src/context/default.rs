//! The default context: of calls that name none, and are in no scope.

use super::builder::WorkerContextBuilder;
use super::ledger::Statistics;
use super::worker_context::WorkerContext;
use offproc_core::ConfigError;
use std::sync::{Mutex, PoisonError};

/// The default context belongs to the process, not to a runtime: only [`shutdown`](crate::shutdown) closes it.
static DEFAULT: Mutex<Option<WorkerContext>> = Mutex::new(None);

pub(crate) fn default_context() -> WorkerContext {
    let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(context) = &*default {
        return context.clone();
    }
    let context = default.insert(WorkerContext::new(WorkerContextBuilder::default().for_default())).clone();
    drop(default);
    context.inner().observer().opened();
    context
}

/// Replaces the settings of the default context. Call it once, early, in the program and not in a library. Calls that
/// wait for a token run with the new settings. After [`shutdown`](crate::shutdown()), this makes calls run again.
///
/// # Errors
///
/// [`ConfigError`]: a setting cannot work, or the default context already has workers, to which the new settings would
/// not apply.
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
    let context = builder.for_default().open()?;
    let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    if default.as_ref().is_some_and(|used| used.inner().has_workers()) {
        return Err(ConfigError::new(
            "the default context already has workers, to which new settings would not apply; configure it before the \
             first call",
        ));
    }
    let replaced = default.replace(context);
    drop(default);
    // Without the lock: this closes it, which wakes the calls that wait in it, and they may look for the new one here
    // at once.
    drop(replaced);
    Ok(())
}

/// The [`Statistics`] of the default context, as cheap as [those of any other](WorkerContext::statistics).
#[must_use]
pub fn default_context_statistics() -> Statistics {
    default_context().statistics()
}
