//! Answers: a thumbnail, or a status and a little JSON that says why there is none.

use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use offproc::Error;
use serde_json::json;

use crate::outcome::Outcome;
use crate::reports::Reports;
use crate::thumbnail::Made;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// The report of a crash, by its number.
    pub(crate) report: Option<String>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Jpeg(Vec<u8>),
    Why(String),
}

impl Answer {
    pub(crate) fn refusal(outcome: Outcome, why: impl Into<String>) -> Self {
        Self { outcome, report: None, body: Body::Why(why.into()) }
    }

    /// The answer to a call. What an attacker learns of a crash is that there was one.
    pub(crate) fn of(result: Result<Made, Error>, reports: &Reports) -> Self {
        let failure = |outcome, why: &str, error| {
            let report = Some(reports.add(error));
            Self { outcome, report, body: Body::Why(why.into()) }
        };
        match result {
            Ok(Ok(jpeg)) => Self { outcome: Outcome::Thumbnail, report: None, body: Body::Jpeg(jpeg.into_vec()) },
            Ok(Err(bad)) => Self::refusal(Outcome::BadImage, bad.to_string()),
            Err(Error::MemoryExceeded { .. }) => {
                Self::refusal(Outcome::TooMuchMemory, "this picture takes too much memory")
            }
            Err(Error::Closed) => Self::refusal(Outcome::Closing, "the service is about to end"),
            Err(error) if error.is_overloaded() => Self::refusal(Outcome::Overloaded, "too many pictures wait already"),
            Err(Error::DeadlineExceeded(station)) => {
                Self::refusal(Outcome::Deadline, format!("there was not enough time; the picture was {station}"))
            }
            Err(error) if error.is_crash() => failure(Outcome::Crashed, "this picture crashed the decoder", error),
            Err(error) if error.is_panic() => failure(Outcome::Panicked, "this picture confused the decoder", error),
            Err(error) => failure(Outcome::Failed, "something is wrong with the service", error),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let no_guessing = (HeaderName::from_static("x-content-type-options"), "nosniff");
        match self.body {
            Body::Jpeg(jpeg) => ([(header::CONTENT_TYPE, "image/jpeg"), no_guessing], jpeg).into_response(),
            Body::Why(why) => {
                let body = json!({ "outcome": self.outcome.label(), "error": why, "report": self.report });
                let headers = [(header::CONTENT_TYPE, "application/json"), no_guessing];
                let mut response = (self.outcome.status(), headers, body.to_string()).into_response();
                if self.outcome == Outcome::Overloaded {
                    response.headers_mut().insert(header::RETRY_AFTER, 1.into());
                }
                response
            }
        }
    }
}
