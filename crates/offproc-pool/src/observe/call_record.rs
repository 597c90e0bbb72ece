//! The record of one call, for the subscriber and the recorder where they are.

#[cfg(feature = "tracing")]
use super::call_span::{self, CallSpan, CallerSpan};
#[cfg(feature = "metrics")]
use super::foreign::run_foreign;
#[cfg(feature = "metrics")]
use super::metrics::{FunctionLabel, LabelMetrics};
use super::observer::Observer;
use crate::timing::Clocks;
use offproc_core::{CallOutcome, Station, is_forked};
#[cfg(feature = "metrics")]
use std::sync::Arc;

/// The record of a call; empty where no subscriber or recorder wants one, which is all that a call checks.
#[derive(Debug)]
pub(crate) struct CallRecord(Option<Box<State>>);

#[derive(Debug)]
enum State {
    /// The call was made in this span, and has not been polled yet.
    #[cfg(feature = "tracing")]
    Made(CallerSpan),
    Begun(Record),
}

/// Its drop records the end of the call, which was cancelled unless another outcome is set.
#[derive(Debug)]
struct Record {
    outcome: CallOutcome,
    clocks: Clocks,
    #[cfg(feature = "tracing")]
    span: CallSpan,
    #[cfg(feature = "metrics")]
    metrics: Arc<LabelMetrics>,
    #[cfg(feature = "metrics")]
    function: FunctionLabel,
}

impl State {
    #[cfg(feature = "tracing")]
    fn record(&self) -> Option<&Record> {
        match self {
            Self::Made(_) => None,
            Self::Begun(record) => Some(record),
        }
    }

    #[cold]
    fn end(&mut self, outcome: CallOutcome) {
        match self {
            #[cfg(feature = "tracing")]
            Self::Made(_) => {}
            Self::Begun(record) => {
                record.outcome = outcome;
                #[cfg(feature = "tracing")]
                record.span.leave(None);
            }
        }
    }
}

impl CallRecord {
    #[inline]
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// True for one that was begun; a call that was made in a span, and not polled yet, may have one, too.
    #[inline]
    pub(crate) fn is_begun(&self) -> bool {
        self.0.is_some()
    }

    /// The record of a call that has been made.
    #[inline]
    pub(crate) fn made() -> Self {
        #[cfg(feature = "tracing")]
        if call_span::may_be_wanted() {
            return Self(CallerSpan::current().map(|span| Box::new(State::Made(span))));
        }
        Self(None)
    }

    /// Whether a call that begins is to be recorded.
    #[inline]
    pub(crate) fn is_wanted() -> bool {
        #[cfg(feature = "metrics")]
        let is_wanted = true;
        #[cfg(not(feature = "metrics"))]
        let is_wanted = call_span::may_be_wanted();
        is_wanted
    }

    /// At the first poll.
    #[cold]
    pub(crate) fn begin(
        &mut self,
        observer: &Observer,
        function: usize,
        type_name: &'static str,
        clocks: &mut Option<Clocks>,
    ) {
        if is_forked() {
            return;
        }
        #[cfg(feature = "tracing")]
        let span = {
            let made_in = match self.0.take().map(|state| *state) {
                Some(State::Made(span)) => Some(span),
                _ => None,
            };
            let name = || offproc_core::function_name(function).unwrap_or(type_name);
            CallSpan::begin(made_in, observer.label(), name)
        };
        #[cfg(all(feature = "tracing", not(feature = "metrics")))]
        if span.is_disabled() {
            return;
        }
        let clocks = clocks.get_or_insert_default();
        clocks.enter(Station::Queued);
        self.0 = Some(Box::new(State::Begun(Record {
            outcome: CallOutcome::Cancelled,
            clocks: clocks.clone(),
            #[cfg(feature = "tracing")]
            span,
            #[cfg(feature = "metrics")]
            metrics: observer.metrics(),
            #[cfg(feature = "metrics")]
            function: observer.function_label(function, type_name),
        })));
    }

    /// For a poll.
    #[inline]
    pub(crate) fn enter(&mut self) -> Entered {
        let state = self.0.take();
        #[cfg(feature = "tracing")]
        if let Some(record) = state.as_deref().and_then(State::record) {
            record.span.enter();
        }
        Entered(state)
    }
}

/// The record of a call that is being polled. Dropped in a panic, it has ended.
#[derive(Debug)]
pub(crate) struct Entered(Option<Box<State>>);

impl Entered {
    /// The poll was not the last one.
    #[inline]
    pub(crate) fn leave(mut self) -> CallRecord {
        let state = self.0.take();
        #[cfg(feature = "tracing")]
        if let Some(record) = state.as_deref().and_then(State::record) {
            record.span.leave(record.clocks.worker());
        }
        CallRecord(state)
    }

    /// The poll was the last one.
    #[inline]
    pub(crate) fn end(mut self, outcome: CallOutcome) {
        if let Some(mut state) = self.0.take() {
            state.end(outcome);
        }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if let Some(mut state) = self.0.take() {
            state.end(CallOutcome::Cancelled);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if is_forked() {
            return;
        }
        let times = self.clocks.stop();
        #[cfg(feature = "metrics")]
        run_foreign(|| self.metrics.call_over(self.outcome, &times, &self.function));
        #[cfg(feature = "tracing")]
        self.span.end(self.outcome, &times, self.clocks.worker());
    }
}
