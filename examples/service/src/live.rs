//! `GET /events`: what the page shows, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Sse;
use axum::response::sse::Event;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::app::{App, Phase};
use crate::outcome::Outcome;

const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Serialize)]
struct Status {
    phase: Phase,
    deadline_ms: u128,
    hostile: bool,
    queue: Queue,
    workers: Workers,
    outcomes: Vec<Count>,
}

#[derive(Debug, Serialize)]
struct Queue {
    waiting: usize,
    longest: usize,
}

#[derive(Debug, Serialize)]
struct Workers {
    idle: usize,
    running: usize,
    starting: usize,
    most: usize,
    /// Since the service began, as the next ones.
    started: u64,
    retired: u64,
    crashed: u64,
    killed: u64,
}

#[derive(Debug, Serialize)]
struct Count {
    outcome: &'static str,
    status: u16,
    count: u64,
}

impl Status {
    fn of(app: &App) -> Self {
        let statistics = app.workers.statistics();
        let count = |outcome: Outcome| Count {
            outcome: outcome.label(),
            status: outcome.status().as_u16(),
            count: app.outcomes.of(outcome),
        };
        Self {
            phase: *app.phase.borrow(),
            deadline_ms: app.options.deadline.as_millis(),
            hostile: app.options.hostile,
            queue: Queue { waiting: statistics.waiting_calls, longest: app.options.queue },
            workers: Workers {
                idle: statistics.idle_workers,
                running: statistics.running_workers,
                starting: statistics.starting_workers,
                most: app.options.workers,
                started: statistics.started,
                retired: statistics.retired,
                crashed: statistics.crashed,
                killed: statistics.killed,
            },
            outcomes: Outcome::ALL.map(count).into(),
        }
    }
}

/// Two kinds of events: `status` twice a second, and `reports` when there is a new one.
///
/// The stream ends when the service does; a server that waits for its last answer would wait for it for ever.
pub(crate) async fn events(
    State(app): State<Arc<App>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, (StatusCode, &'static str)> {
    let watcher = app.watchers.clone().try_acquire_owned();
    let watcher = watcher.map_err(|_| (StatusCode::SERVICE_UNAVAILABLE, "too many watch already\n"))?;
    let draining = app.draining();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = (app, watcher, ticks, None);
    let events = stream::unfold(first, |(app, watcher, mut ticks, shown)| async move {
        let (event, shown) = next_event(&app, &mut ticks, shown).await;
        Some((Ok(event), (app, watcher, ticks, shown)))
    });
    Ok(Sse::new(events.take_until(draining)))
}

/// `shown`: how many reports there had been when they were last sent.
async fn next_event(app: &App, ticks: &mut Interval, shown: Option<u64>) -> (Event, Option<u64>) {
    let count = app.reports.count();
    if shown != Some(count) {
        return (event("reports", &app.reports.last()), Some(count));
    }
    ticks.tick().await;
    (event("status", &Status::of(app)), shown)
}

fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).expect("numbers and text"))
}
