use super::describe::{QUEUE_LENGTH, WORKERS};
use super::label_metrics::{LabelMetrics, METADATA};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the gauges of a context show: workers that are idle, running, starting, and calls that wait.
pub(crate) type GaugeCounts = [usize; 4];

const STATES: [&str; 3] = ["idle", "running", "starting"];

/// What one context adds to the gauges of its name.
#[derive(Debug)]
pub(crate) struct ContextGauges {
    metrics: Arc<LabelMetrics>,
    counted: GaugeCounts,
}

/// Which gauges have changed: the recorder still has to get the new numbers.
#[must_use]
pub(crate) struct Changed {
    metrics: Arc<LabelMetrics>,
    which: [bool; 4],
}

impl ContextGauges {
    pub(crate) fn new(metrics: Arc<LabelMetrics>) -> Self {
        Self { metrics, counted: [0; 4] }
    }

    /// Counts the workers and calls of now. It runs under the lock that guards the numbers, so it calls no recorder.
    pub(crate) fn count(&mut self, now: GaugeCounts) -> Option<Changed> {
        if now == self.counted {
            return None;
        }
        let mut which = [false; 4];
        for (at, (now, before)) in now.into_iter().zip(self.counted).enumerate() {
            if now != before {
                which[at] = true;
                self.metrics.counts[at].fetch_add(now as i64 - before as i64, Ordering::SeqCst);
            }
        }
        self.counted = now;
        Some(Changed { metrics: Arc::clone(&self.metrics), which })
    }
}

impl Changed {
    pub(crate) fn report(self) {
        self.metrics.show(self.which);
    }
}

impl LabelMetrics {
    /// Sets these gauges to what is counted.
    pub(super) fn show(&self, which: [bool; 4]) {
        for at in (0..4).filter(|at| which[*at]) {
            self.show_one(at);
        }
    }

    fn show_one(&self, at: usize) {
        self.with(|recorder, handles| {
            let gauge = if let Some(state) = STATES.get(at) {
                let register = || recorder.register_gauge(&self.key(WORKERS, &[("state", state)]), &METADATA);
                handles.workers[at].get_or_init(register)
            } else {
                handles.queue_length.get_or_init(|| recorder.register_gauge(&self.key(QUEUE_LENGTH, &[]), &METADATA))
            };
            // The thread that sets the gauge last has seen the last count: a thread sets it again if the count changed
            // meanwhile.
            loop {
                let count = self.counts[at].load(Ordering::SeqCst);
                gauge.set(count as f64);
                if self.counts[at].load(Ordering::SeqCst) == count {
                    break;
                }
            }
        });
    }
}
