//! The span of a call.

use super::foreign::run_foreign;
use crate::timing::CallTimes;
use offproc_core::{CallOutcome, is_forked};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

/// Of each call, and of what is not out of the ordinary: a level that subscribers show by default.
const LEVEL: Level = Level::INFO;

/// Whether some subscriber may want spans of this level: a look at one number.
#[inline]
pub(super) fn may_be_wanted() -> bool {
    LEVEL <= LevelFilter::current()
}

/// The span in which a call was made, kept open until the call begins or is dropped.
#[derive(Debug)]
pub(super) struct CallerSpan(Span);

impl CallerSpan {
    /// The span that the calling code is in.
    #[cold]
    pub(super) fn current() -> Option<Self> {
        let mut current = Span::none();
        run_foreign(|| current = Span::current());
        (!current.is_none()).then_some(Self(current))
    }
}

impl Drop for CallerSpan {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// Lets go of a span. It may end here, which runs the subscriber's code.
fn end(span: &mut Span) {
    let span = std::mem::replace(span, Span::none());
    if is_forked() {
        // Its subscriber may have been locked by a thread that is not here.
        std::mem::forget(span);
    } else {
        run_foreign(|| drop(span));
    }
}

macro_rules! call_span {
    ($context:expr, $function:expr $(, parent: $parent:expr)?) => {
        tracing::span!(
            target: "offproc",
            $(parent: $parent,)?
            LEVEL,
            "offproc.call",
            context = $context,
            function = $function,
            outcome = Empty,
            queued_us = Empty,
            starting_us = Empty,
            running_us = Empty,
            worker.pid = Empty,
        )
    };
}

/// The span of a call, from its first poll to its end, and entered while it is polled.
#[derive(Debug)]
pub(super) struct CallSpan {
    span: Span,
    /// The worker that was recorded last; 0 is no process.
    worker: AtomicU32,
}

impl CallSpan {
    /// Within the span that is current, or else the one in which the call was made.
    pub(super) fn begin(made_in: Option<CallerSpan>, context: &str, function: impl Fn() -> &'static str) -> Self {
        let mut span = Span::none();
        run_foreign(|| {
            span = match made_in.as_ref().filter(|_| Span::current().is_none()) {
                Some(made_in) => call_span!(context, function(), parent: &made_in.0),
                None => call_span!(context, function()),
            };
        });
        Self { span, worker: AtomicU32::new(0) }
    }

    #[cfg_attr(feature = "metrics", allow(dead_code, reason = "without a span, there still are metrics"))]
    pub(super) fn is_disabled(&self) -> bool {
        self.span.is_disabled()
    }

    pub(super) fn enter(&self) {
        run_foreign(|| {
            self.span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
        });
    }

    /// With the worker that has the job, once there is one.
    pub(super) fn leave(&self, worker: Option<u32>) {
        self.record_worker(worker);
        run_foreign(|| {
            self.span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
        });
    }

    fn record_worker(&self, worker: Option<u32>) {
        // Only where it changes: the text of a span grows with each record.
        let Some(pid) = worker.filter(|pid| self.worker.swap(*pid, Ordering::Relaxed) != *pid) else { return };
        run_foreign(|| {
            self.span.record("worker.pid", pid);
        });
    }

    pub(super) fn end(&mut self, outcome: CallOutcome, times: &CallTimes, worker: Option<u32>) {
        self.record_worker(worker);
        run_foreign(|| {
            let span = &self.span;
            span.record("queued_us", micros(times.queued));
            span.record("starting_us", micros(times.starting));
            span.record("running_us", micros(times.running));
            span.record("outcome", outcome.as_str());
        });
        end(&mut self.span);
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        end(&mut self.span);
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
