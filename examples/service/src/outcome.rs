//! What can become of a request, and how often it did.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Thumbnail,
    BadImage,
    TooMuchMemory,
    TooLarge,
    TooSlow,
    Incomplete,
    Overloaded,
    Closing,
    Deadline,
    Crashed,
    Panicked,
    Failed,
    HungUp,
}

impl Outcome {
    pub(crate) const ALL: [Self; 13] = [
        Self::Thumbnail,
        Self::BadImage,
        Self::TooMuchMemory,
        Self::TooLarge,
        Self::TooSlow,
        Self::Incomplete,
        Self::Overloaded,
        Self::Closing,
        Self::Deadline,
        Self::Crashed,
        Self::Panicked,
        Self::Failed,
        Self::HungUp,
    ];

    /// Where the upload is at fault, 4xx: sending it again is no use. A crash is 500 and not 502: a proxy may send what
    /// got a 502 to the next machine, and an upload that crashes one decoder crashes them all.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Thumbnail => StatusCode::OK,
            Self::BadImage | Self::TooMuchMemory => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::Overloaded | Self::Closing => StatusCode::SERVICE_UNAVAILABLE,
            Self::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Self::Crashed | Self::Panicked | Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            // No client gets this one; nginx logs it.
            Self::HungUp => StatusCode::from_u16(499).expect("three digits"),
        }
    }

    /// A word for metrics, logs and programs.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumbnail",
            Self::BadImage => "bad_image",
            Self::TooMuchMemory => "too_much_memory",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Incomplete => "incomplete",
            Self::Overloaded => "overloaded",
            Self::Closing => "closing",
            Self::Deadline => "deadline",
            Self::Crashed => "crashed",
            Self::Panicked => "panicked",
            Self::Failed => "failed",
            Self::HungUp => "hung_up",
        }
    }
}

/// How many requests had each outcome.
#[derive(Debug, Default)]
pub(crate) struct Outcomes([AtomicU64; Outcome::ALL.len()]);

impl Outcomes {
    pub(crate) fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize].load(Ordering::Relaxed)
    }
}
