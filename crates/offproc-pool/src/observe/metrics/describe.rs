use metrics::{Recorder, Unit};

pub(super) const CALLS: &str = "offproc_calls_total";
pub(super) const STARTS: &str = "offproc_worker_starts_total";
pub(super) const ENDS: &str = "offproc_worker_ends_total";
pub(super) const QUEUE_LENGTH: &str = "offproc_queue_length";
pub(super) const WORKERS: &str = "offproc_workers";
pub(super) const QUEUE_SECONDS: &str = "offproc_queue_seconds";
pub(super) const RUN_SECONDS: &str = "offproc_run_seconds";

/// Tells a recorder what each metric is.
pub(super) fn describe(recorder: &dyn Recorder) {
    let counters = [
        (CALLS, "Calls that are over, by their outcome."),
        (STARTS, "Workers that were started and ready."),
        (ENDS, "Workers that have ended, by the reason."),
    ];
    for (name, text) in counters {
        recorder.describe_counter(name.into(), Some(Unit::Count), text.into());
    }
    let gauges = [
        (QUEUE_LENGTH, "Calls that wait for a token of their limiter."),
        (WORKERS, "Workers, by what they do: idle, running, or starting."),
    ];
    for (name, text) in gauges {
        recorder.describe_gauge(name.into(), Some(Unit::Count), text.into());
    }
    let histograms = [
        (QUEUE_SECONDS, "How long calls waited for a token and a worker, starts of workers not included."),
        (RUN_SECONDS, "How long jobs ran, however they ended."),
    ];
    for (name, text) in histograms {
        recorder.describe_histogram(name.into(), Some(Unit::Seconds), text.into());
    }
}
