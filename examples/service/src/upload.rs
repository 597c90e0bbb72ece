//! `POST /thumbnail`: a picture comes, a thumbnail goes.

use std::sync::Arc;

use axum::RequestExt;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_bytes::ByteBuf;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::app::App;
use crate::outcome::Outcome;
use crate::request::answered;
use crate::thumbnail;

pub(crate) async fn post(State(app): State<Arc<App>>, request: Request) -> Answer {
    answered(&app, "/thumbnail", async {
        match receive(&app, request).await {
            Ok(upload) => app.call(thumbnail::make, upload).await,
            Err(refusal) => refusal,
        }
    })
    .await
}

/// The deadline counts from when the upload is there: that a client's line is slow is no fault of the service's.
async fn receive(app: &App, request: Request) -> Result<ByteBuf, Answer> {
    match timeout(app.options.upload_time, request.extract::<Bytes, _>()).await {
        Ok(Ok(bytes)) => Ok(ByteBuf::from(Vec::from(bytes))),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Answer::refusal(Outcome::TooLarge, "the upload is too large"))
        }
        Ok(Err(_)) => Err(Answer::refusal(Outcome::Incomplete, "the upload is not complete")),
        Err(_) => Err(Answer::refusal(Outcome::TooSlow, "the upload took too long")),
    }
}
