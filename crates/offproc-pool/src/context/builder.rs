//! Settings of a context: builds one from what the setters in [`interface`] have set.

mod interface;
mod state;

use super::settings::ContextSettings;
#[cfg(feature = "tracing")]
use offproc_core::LogForwarding;
use offproc_core::{Launcher, RuntimeSelector};
#[cfg(feature = "tracing")]
use offproc_tracing::{Forward, LevelFilter};
#[cfg(feature = "tracing")]
use std::sync::Arc;
use std::time::Duration;

/// Builds a [`WorkerContext`](crate::WorkerContext).
///
/// [`open`](Self::open) checks the settings; the setters accept any value.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `open` is called"]
pub struct WorkerContextBuilder {
    pub(crate) settings: ContextSettings,
    pub(crate) is_default: bool,
}

impl WorkerContextBuilder {
    /// For the default context.
    pub(crate) fn for_default(mut self) -> Self {
        self.is_default = true;
        self
    }

    /// What spans, events and metrics call the context.
    pub(crate) fn label(&self) -> &str {
        self.settings.pool.diagnostics.name.as_deref().unwrap_or(if self.is_default { "default" } else { "" })
    }

    pub(crate) fn launcher(&self) -> Box<dyn Launcher> {
        self.settings.pool.start.worker_type.launcher(&self.settings.worker)
    }

    pub(crate) fn runtime_selector(&self) -> RuntimeSelector {
        RuntimeSelector::new(self.settings.pool.transport.runtime.clone(), crate::runtime::detect)
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn with_forwarding(mut self) -> Self {
        let level = Some(self.settings.pool.logging.forward_tracing).filter(|level| *level > LevelFilter::OFF);
        self.settings.worker.log_forwarding = level.map(|level| LogForwarding::new(Arc::new(Forward::new(level))));
        self
    }

    /// The former name of [`max_spin`](Self::max_spin).
    #[doc(hidden)]
    pub fn spin(self, most: Duration) -> Self {
        self.max_spin(most)
    }

    /// The former name of [`max_message_size`](Self::max_message_size).
    #[doc(hidden)]
    pub fn frame_limit(self, bytes: usize) -> Self {
        self.max_message_size(bytes)
    }
}
