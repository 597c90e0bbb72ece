//! For service managers and load balancers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::{App, Phase};

/// The process answers. It is no reason to kill it when its workers are busy.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Requests are welcome: the workers are warm, and the service is not about to end.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match *app.phase.borrow() {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::Ready => (StatusCode::OK, "ready\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}
