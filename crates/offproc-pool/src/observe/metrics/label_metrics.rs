use super::describe::{CALLS, ENDS, QUEUE_SECONDS, RUN_SECONDS, STARTS};
use super::handles::Handles;
use crate::observe::foreign::run_foreign;
use crate::timing::CallTimes;
use metrics::{Counter, Histogram, Key, Label, Level, Metadata, Recorder};
use offproc_core::{CallOutcome, function_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// The metrics of all contexts that have the same name.
pub(crate) struct LabelMetrics {
    label: Arc<str>,
    /// Calls are counted, and not all by function.
    counts_calls: AtomicBool,
    /// In the order of [`GaugeCounts`](super::GaugeCounts).
    pub(super) counts: [AtomicI64; 4],
    pub(super) handles: Handles,
}

/// The name of a call's function, where metrics go by it.
pub(crate) type FunctionLabel = Option<&'static str>;

pub(super) static METADATA: Metadata<'static> = Metadata::new("offproc", Level::INFO, Some("offproc"));

const REASONS: [&str; 5] = ["idle", "retired", "crashed", "killed", "closed"];

/// Those of all names that contexts have now.
static LABELS: Mutex<Option<HashMap<Arc<str>, Weak<LabelMetrics>>>> = Mutex::new(None);

impl LabelMetrics {
    pub(crate) fn of(label: &Arc<str>) -> Arc<Self> {
        let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = labels.get_or_insert_default();
        if let Some(metrics) = labels.get(label).and_then(Weak::upgrade) {
            return metrics;
        }
        labels.retain(|_, metrics| metrics.strong_count() > 0);
        let metrics = Arc::new(Self {
            label: Arc::clone(label),
            counts_calls: AtomicBool::new(false),
            counts: Default::default(),
            handles: Handles::default(),
        });
        labels.insert(Arc::clone(label), Arc::downgrade(&metrics));
        metrics
    }

    /// A context of this name has been opened. Its metrics are there from now on: what has not happened is 0, and not
    /// unknown.
    pub(crate) fn opened(&self, by_function: bool) {
        self.counts_calls.fetch_or(!by_function, Ordering::Relaxed);
        self.register();
    }

    /// What is there already, for a recorder that comes later.
    fn register_all() {
        let labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> = labels.iter().flat_map(HashMap::values).filter_map(Weak::upgrade).collect();
        drop(labels);
        all.iter().for_each(|metrics| metrics.register());
    }

    fn register(&self) {
        self.with(|recorder, handles| {
            self.starts(recorder, handles);
            for at in 0..REASONS.len() {
                self.ends(recorder, handles, at);
            }
            if self.counts_calls.load(Ordering::Relaxed) {
                for outcome in CallOutcome::ALL {
                    self.calls(recorder, handles, outcome);
                }
                self.queue_seconds(recorder, handles);
                self.run_seconds(recorder, handles);
            }
        });
        self.show([true; 4]);
    }

    /// The label of a function, which is looked up in the executable.
    pub(crate) fn function(address: usize, type_name: &'static str) -> &'static str {
        function_name(address).unwrap_or(type_name)
    }

    pub(super) fn key(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
        let context = Label::new("context", Arc::clone(&self.label));
        let others = labels.iter().map(|(name, value)| Label::new(*name, *value));
        Key::from_parts(name, std::iter::once(context).chain(others).collect::<Vec<_>>())
    }

    pub(super) fn with(&self, f: impl FnOnce(&dyn Recorder, &Handles)) {
        run_foreign(|| self.handles.with(Self::register_all, f));
    }

    pub(crate) fn call_over(&self, outcome: CallOutcome, times: &CallTimes, function: &FunctionLabel) {
        self.with(|recorder, handles| {
            if let Some(function) = function {
                let labels = [("outcome", outcome.as_str()), ("function", function)];
                recorder.register_counter(&self.key(CALLS, &labels), &METADATA).increment(1);
                let key = self.key(QUEUE_SECONDS, &labels[1..]);
                return recorder.register_histogram(&key, &METADATA).record(times.queued);
            }
            self.calls(recorder, handles, outcome).increment(1);
            self.queue_seconds(recorder, handles).record(times.queued);
        });
    }

    pub(super) fn job_ran(&self, time: Duration, function: FunctionLabel) {
        self.with(|recorder, handles| {
            if let Some(function) = function {
                let key = self.key(RUN_SECONDS, &[("function", function)]);
                return recorder.register_histogram(&key, &METADATA).record(time);
            }
            self.run_seconds(recorder, handles).record(time);
        });
    }

    pub(crate) fn worker_started(&self) {
        self.with(|recorder, handles| self.starts(recorder, handles).increment(1));
    }

    pub(crate) fn worker_exited(&self, reason: &'static str) {
        let Some(at) = REASONS.iter().position(|known| *known == reason) else { return };
        self.with(|recorder, handles| self.ends(recorder, handles, at).increment(1));
    }
}

/// Handles, which are made when they are first needed.
impl LabelMetrics {
    fn calls<'h>(&self, recorder: &dyn Recorder, handles: &'h Handles, outcome: CallOutcome) -> &'h Counter {
        let key = || self.key(CALLS, &[("outcome", outcome.as_str())]);
        handles.calls[outcome as usize].get_or_init(|| recorder.register_counter(&key(), &METADATA))
    }

    fn starts<'h>(&self, recorder: &dyn Recorder, handles: &'h Handles) -> &'h Counter {
        handles.starts.get_or_init(|| recorder.register_counter(&self.key(STARTS, &[]), &METADATA))
    }

    /// `at`: of its reason.
    fn ends<'h>(&self, recorder: &dyn Recorder, handles: &'h Handles, at: usize) -> &'h Counter {
        let key = || self.key(ENDS, &[("reason", REASONS[at])]);
        handles.ends[at].get_or_init(|| recorder.register_counter(&key(), &METADATA))
    }

    fn queue_seconds<'h>(&self, recorder: &dyn Recorder, handles: &'h Handles) -> &'h Histogram {
        handles.queue_seconds.get_or_init(|| recorder.register_histogram(&self.key(QUEUE_SECONDS, &[]), &METADATA))
    }

    fn run_seconds<'h>(&self, recorder: &dyn Recorder, handles: &'h Handles) -> &'h Histogram {
        handles.run_seconds.get_or_init(|| recorder.register_histogram(&self.key(RUN_SECONDS, &[]), &METADATA))
    }
}

impl fmt::Debug for LabelMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelMetrics").field("label", &self.label).finish_non_exhaustive()
    }
}
