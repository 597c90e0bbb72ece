#[cfg(feature = "tracing")]
use super::events::Audience;
#[cfg(feature = "metrics")]
use super::metrics::{ContextGauges, FunctionLabel, LabelMetrics, RunTimer};
#[cfg(not(feature = "tracing"))]
use super::no_events::Audience;
#[cfg(not(feature = "metrics"))]
use super::no_run_timer::RunTimer;
use super::totals::Totals;
use super::worker_observer::WorkerObserver;
use crate::context::Statistics;
use offproc_core::{CallOutcome, ExitKind};
use std::sync::Arc;
use std::time::Duration;

/// Reports on the calls and workers of a context.
#[derive(Debug)]
pub(crate) struct Observer {
    /// The name of the context.
    label: Arc<str>,
    totals: Totals,
    /// The subscriber that was current when the context was opened.
    #[cfg(feature = "tracing")]
    audience: Audience,
    #[cfg(feature = "metrics")]
    metrics: Arc<LabelMetrics>,
    #[cfg(feature = "metrics")]
    by_function: bool,
}

impl Observer {
    pub(crate) fn new(label: &str, by_function: bool) -> Self {
        let label = Arc::from(label);
        let _ = by_function;
        Self {
            #[cfg(feature = "metrics")]
            metrics: LabelMetrics::of(&label),
            #[cfg(feature = "metrics")]
            by_function,
            #[cfg(feature = "tracing")]
            audience: Audience::of(&label),
            label,
            totals: Totals::default(),
        }
    }

    /// The context has been opened. The caller holds no lock.
    pub(crate) fn opened(&self) {
        #[cfg(feature = "metrics")]
        self.metrics.opened(self.by_function);
    }

    #[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "only spans and events show it"))]
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// A call is over because the worker has answered it, with a result or without.
    #[inline]
    pub(crate) fn call_answered(&self) {
        self.totals.calls.add_one();
    }

    /// A call is over without a result.
    pub(crate) fn call_failed(&self, outcome: CallOutcome, is_answered: bool) {
        if !is_answered {
            self.totals.calls.add_one();
        }
        match outcome {
            CallOutcome::Panicked => self.totals.panicked.add_one(),
            CallOutcome::TimedOut | CallOutcome::Deadline => self.totals.timed_out.add_one(),
            CallOutcome::Overloaded => self.totals.overloaded.add_one(),
            _ => {}
        }
    }

    /// A worker is not started at once, as starts have failed.
    pub(crate) fn start_delayed(&self, pause: Duration) {
        #[cfg(feature = "tracing")]
        self.audience().start_delayed(pause);
        let _ = pause;
    }

    pub(crate) fn start_failed(&self) {
        self.totals.failed_starts.add_one();
    }

    /// A worker has made its state.
    pub(crate) fn state_made(&self) {
        self.totals.states_built.add_one();
    }

    /// A worker has started. The value returned reports its end.
    pub(crate) fn worker_started(&self, pid: u32) -> WorkerObserver {
        self.totals.started.add_one();
        let worker = WorkerObserver {
            #[cfg(feature = "tracing")]
            audience: self.audience(),
            #[cfg(feature = "metrics")]
            metrics: Arc::clone(&self.metrics),
        };
        #[cfg(feature = "metrics")]
        self.metrics.worker_started();
        #[cfg(feature = "tracing")]
        worker.audience.worker_started(pid);
        let _ = pid;
        worker
    }

    pub(crate) fn worker_exited(&self, kind: ExitKind) {
        match kind {
            ExitKind::Idle | ExitKind::Retired => self.totals.retired.add_one(),
            ExitKind::Crashed => self.totals.crashed.add_one(),
            ExitKind::Killed => self.totals.killed.add_one(),
        }
    }

    /// A worker has got a job.
    #[inline]
    pub(crate) fn job_began(&self, function: usize, type_name: &'static str) -> RunTimer {
        #[cfg(feature = "metrics")]
        return RunTimer::start(Arc::clone(&self.metrics), self.function_label(function, type_name));
        #[cfg(not(feature = "metrics"))]
        {
            let _ = (function, type_name);
            RunTimer::idle()
        }
    }

    /// Adds the totals.
    pub(crate) fn totals(&self, gauges: Statistics) -> Statistics {
        self.totals.with(gauges)
    }
}

impl Observer {
    /// The subscribers that get the events of the calling thread.
    pub(crate) fn audience(&self) -> Audience {
        #[cfg(feature = "tracing")]
        return self.audience.here();
        #[cfg(not(feature = "tracing"))]
        Audience
    }
}

#[cfg(feature = "metrics")]
impl Observer {
    pub(super) fn metrics(&self) -> Arc<LabelMetrics> {
        Arc::clone(&self.metrics)
    }

    pub(super) fn function_label(&self, function: usize, type_name: &'static str) -> FunctionLabel {
        self.by_function.then(|| LabelMetrics::function(function, type_name))
    }

    pub(crate) fn gauges(&self) -> ContextGauges {
        ContextGauges::new(self.metrics())
    }
}
