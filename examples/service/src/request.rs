//! What is done around each request: its span, its counts and its time.

use std::time::Instant;

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::answer::Answer;
use crate::app::App;
use crate::outcome::Outcome;

/// They are there from now on: what has not happened is 0, and not unknown.
pub(crate) fn register_metrics() {
    describe_counter!("thumbnail_requests_total", "Requests, by outcome.");
    describe_histogram!(
        "thumbnail_request_seconds",
        Unit::Seconds,
        "From a request's head to its answer, or to the client's going."
    );
    for outcome in Outcome::ALL {
        requests_total(outcome).absolute(0);
    }
    let _ = request_seconds();
}

fn requests_total(outcome: Outcome) -> Counter {
    counter!("thumbnail_requests_total", "outcome" => outcome.label())
}

fn request_seconds() -> Histogram {
    histogram!("thumbnail_request_seconds")
}

/// Runs what makes the answer in a span, which is in the log once it is closed. The calls' spans are inside it.
pub(crate) async fn answered(app: &App, path: &'static str, answer: impl Future<Output = Answer>) -> Answer {
    let span = info_span!("request", path, status = Empty, outcome = Empty, report = Empty);
    let mut request = Request { app, span: span.clone(), start: Instant::now(), outcome: Outcome::HungUp };
    let answer = answer.instrument(span).await;
    request.outcome = answer.outcome;
    if let Some(report) = &answer.report {
        request.span.record("report", report.as_str());
    }
    answer
}

struct Request<'a> {
    app: &'a App,
    span: Span,
    start: Instant,
    outcome: Outcome,
}

/// Where the client has gone there is no answer: the server drops what makes it.
impl Drop for Request<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome;
        self.span.record("status", outcome.status().as_u16());
        self.span.record("outcome", outcome.label());
        self.app.outcomes.count(outcome);
        requests_total(outcome).increment(1);
        request_seconds().record(self.start.elapsed());
    }
}
