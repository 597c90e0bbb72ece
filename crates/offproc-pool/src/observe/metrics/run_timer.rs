use super::label_metrics::{FunctionLabel, LabelMetrics};
use offproc_core::is_forked;
use std::sync::Arc;
use std::time::Instant;

/// Measures how long a job runs; its drop is the end of that.
#[derive(Debug)]
pub(crate) struct RunTimer(Option<Running>);

#[derive(Debug)]
struct Running {
    since: Instant,
    metrics: Arc<LabelMetrics>,
    function: FunctionLabel,
}

impl RunTimer {
    /// There is no job yet.
    pub(crate) const fn idle() -> Self {
        Self(None)
    }

    pub(crate) fn start(metrics: Arc<LabelMetrics>, function: FunctionLabel) -> Self {
        Self(Some(Running { since: Instant::now(), metrics, function }))
    }

    /// The job turned out not to have run.
    pub(crate) fn has_not_run(&mut self) {
        self.0 = None;
    }
}

impl Drop for RunTimer {
    fn drop(&mut self) {
        if let Some(Running { since, metrics, function }) = self.0.take().filter(|_| !is_forked()) {
            metrics.job_ran(since.elapsed(), function);
        }
    }
}
