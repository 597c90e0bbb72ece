//! A service that makes thumbnails of pictures that strangers send it.
//!
//! ```sh
//! cargo run --release -p offproc-example-service
//! curl --fail-with-body --data-binary @PICTURE -o answer http://127.0.0.1:8080/thumbnail && mv answer thumbnail.jpg
//! ```
//!
//! Its page is <http://127.0.0.1:8080/>; `docs/service.md` says what a service needs, and where it is here. What
//! strangers send is decoded in worker processes (`thumbnail.rs`), under the policy in `workers.rs`.

mod answer;
mod app;
mod health;
mod hostile;
mod live;
mod options;
mod outcome;
mod page;
mod reports;
mod request;
mod signals;
mod telemetry;
mod thumbnail;
mod upload;
mod workers;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::app::{App, Phase};
use crate::options::Options;
use crate::signals::Signals;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(env::args_os()) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("service: {error}");
            return ExitCode::from(2);
        }
    };
    telemetry::write_logs();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, "the service cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let metrics = telemetry::collect_metrics()?;
    request::register_metrics();
    let app = App::new(options)?;
    let listen = app.options.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    println!("http://{}", listener.local_addr()?);
    let draining = app.draining();
    let server = axum::serve(listener, routes(app.clone(), metrics)).with_graceful_shutdown(draining);
    let server = tokio::spawn(server.into_future());

    let signal = tokio::select! {
        warm = app.workers.warm_up(app.options.workers) => {
            warm?;
            app.phase.send_replace(Phase::Ready);
            info!("ready");
            signals.next().await
        }
        signal = signals.next() => signal,
    };
    info!(signal, "draining");
    app.phase.send_replace(Phase::Draining);
    drain(&app, server, &mut signals).await;
    info!("the end");
    Ok(())
}

fn routes(app: Arc<App>, metrics: PrometheusHandle) -> Router {
    let hostile = if app.options.hostile { hostile::routes() } else { Router::new() };
    Router::new()
        .route("/thumbnail", post(upload::post))
        .layer(DefaultBodyLimit::max(app.options.upload))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(async move || metrics.render()))
        .route("/events", get(live::events))
        .merge(hostile)
        .with_state(app)
        .merge(page::routes())
}

/// The server takes no new connection, and answers the requests that it has; then the workers end. What is not done in
/// time, or when a second signal comes, is answered with 503.
async fn drain(app: &App, mut server: JoinHandle<io::Result<()>>, signals: &mut Signals) {
    let in_time = tokio::select! {
        ended = timeout(app.options.drain, &mut server) => ended.is_ok(),
        _ = signals.next() => false,
    };
    let grace = if in_time { GRACE } else { Duration::ZERO };
    if let Err(unclean) = app.workers.close_within(grace).await {
        warn!(workers = unclean.count(), killed = unclean.killed(), "{unclean}");
    }
    if !in_time && timeout(GRACE, server).await.is_err() {
        warn!("connections are still open");
    }
}

/// What workers have to end by themselves, and the last answers to be sent.
const GRACE: Duration = Duration::from_secs(1);
