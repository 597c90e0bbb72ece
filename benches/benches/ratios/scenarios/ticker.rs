//! Whether starting workers disturbs the runtime that asks for them.

use super::Outcome;
use super::latency::merge;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::pause::Pause;
use crate::runtimes::Tokio;
use crate::stats::{Samples, Summary, time};
use offproc::{Error, Limiter, WorkerContext, WorkerType};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const WORKERS: usize = 100;
const TICK: Duration = Duration::from_millis(1);

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rounds = options.pick(2, 10);
    let alone = Tokio::Current.run(512, async {
        let still = tokio::spawn(ticks(Arc::new(AtomicBool::new(false)), Duration::from_millis(500)));
        lateness(still.await.expect("a ticker does not panic"))
    })?;
    note("none", &alone.summary(), Bar::None, output);
    for (name, worker_type) in [("Spawn", WorkerType::Spawn), ("ForkServer", WorkerType::ForkServer)] {
        let late = Tokio::Current.run(512, async move {
            let mut late = Samples::default();
            for _ in 0..rounds {
                late.append(starting(worker_type.clone()).await?);
            }
            Ok::<_, Error>(late)
        })??;
        note(name, &late.summary(), Bar::AtMost(2.0), output);
    }
    Ok(())
}

fn note(workers: &str, late: &Summary, bar: Bar, output: &mut Output) {
    let mut result = json!({ "worker_type": workers });
    merge(&mut result, late.to_json(false));
    output.record("ticker", result);
    let row = match workers {
        "none" => "lateness of a 1 ms ticker, p99, nothing else going on".to_owned(),
        workers => format!("lateness of a 1 ms ticker, p99, while 100 workers start, {workers}"),
    };
    let from = format!("p50 {}, at most {}", time(late.p50()), time(late.quantile(1.0)));
    output.figure(row, late.p99() / 1e6, "ms", bar, from);
}

/// Starts the workers, all of them at once, and returns the lateness of a ticker on the same thread meanwhile.
async fn starting(worker_type: WorkerType) -> Result<Samples, Error> {
    let context = WorkerContext::builder().worker_type(worker_type).open().expect("the settings are fine");
    let limiter = Limiter::new(WORKERS);
    let over = Arc::new(AtomicBool::new(false));
    let ticker = tokio::spawn(ticks(Arc::clone(&over), Duration::MAX));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (context, limiter) = (context.clone(), limiter.clone());
        calls.spawn(async move { context.run_sync(stay, ()).limiter(&limiter).await });
    }
    let started = calls.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    over.store(true, Ordering::Relaxed);
    let ticks = ticker.await.expect("a ticker does not panic");
    context.close().await?;
    // Once the last one has started, nothing is to be disturbed any more.
    let last = started.into_iter().max().unwrap_or(Duration::ZERO);
    Ok(lateness(ticks.into_iter().take_while(|tick| tick.came <= last)))
}

/// A job that outlasts the start of the others, so that none of them gets this worker; returns when it began.
fn stay((): ()) -> Duration {
    let began = now();
    std::thread::sleep(Duration::from_millis(800));
    began
}

/// The time on the clock that all processes share.
fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(now).expect("the machine was started in the past")
}

/// One tick of a ticker.
struct Tick {
    came: Duration,
    late: Duration,
}

/// Ticks of an exact timer: tokio's own is up to 2 ms late on an idle machine, as it counts in whole milliseconds.
async fn ticks(over: Arc<AtomicBool>, at_most: Duration) -> Vec<Tick> {
    let begin = now();
    let tick = Pause::new(TICK).expect("a timer can be made");
    let mut ticks = Vec::new();
    while !over.load(Ordering::Relaxed) && now() - begin < at_most {
        let due = now() + TICK;
        tick.wait().await.expect("a timer can be waited for");
        let came = now();
        ticks.push(Tick { came, late: came.saturating_sub(due) });
    }
    ticks
}

fn lateness(ticks: impl IntoIterator<Item = Tick>) -> Samples {
    let mut samples = Samples::default();
    for tick in ticks {
        samples.push(tick.late);
    }
    samples
}
