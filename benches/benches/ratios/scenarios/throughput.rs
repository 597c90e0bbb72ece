//! No-op calls a second, from one task and from many at once.

use super::Outcome;
use crate::figure::Bar;
use crate::load::Load;
use crate::options::Options;
use crate::output::Output;
use crate::peers::pools::name;
use crate::runtimes::Tokio;
use crate::stats::median;
use offproc::{Limiter, Transport, WorkerContext};
use offproc_bench::noop;
use serde_json::json;
use std::future::Future;
use std::time::{Duration, Instant};

/// Workers on our side, blocking threads on the other.
const WORKERS: usize = 2;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    for load in Load::BOTH {
        let busy = load.begin()?;
        for runtime in Tokio::BOTH {
            for tasks in [1, 4, 64] {
                measure(options, load, runtime, tasks, output)?;
            }
        }
        drop(busy);
    }
    Ok(())
}

fn measure(options: &Options, load: Load, runtime: Tokio, tasks: usize, output: &mut Output) -> Outcome {
    let turns: usize = options.pick(2, 7);
    let turn = Duration::from_millis(options.pick(60, 250));
    let (ours, stream, theirs) = runtime.run(WORKERS, async move {
        let offproc = |transport| {
            // A context of its own: a worker may belong to the runtime that used it last.
            let context = WorkerContext::builder().transport(transport).open().expect("the settings are fine");
            let limiter = Limiter::new(WORKERS);
            move || {
                let call = context.run_sync(noop, ()).limiter(&limiter);
                async { call.await.expect("a no-op succeeds") }
            }
        };
        let (shared, stream) = (offproc(Transport::SharedMemory), offproc(Transport::Stream));
        let spawn_blocking =
            || async { tokio::task::spawn_blocking(|| noop(())).await.expect("a no-op does not panic") };
        let mut measured = (Vec::new(), Vec::new(), Vec::new());
        calls_in(tasks, Duration::from_millis(50), shared.clone()).await;
        calls_in(tasks, Duration::from_millis(50), stream.clone()).await;
        for _ in 0..turns {
            measured.0.push(calls_in(tasks, turn, shared.clone()).await);
            measured.1.push(calls_in(tasks, turn, stream.clone()).await);
            measured.2.push(calls_in(tasks, turn, spawn_blocking).await);
        }
        measured
    })?;
    let least_served = median(ours.iter().map(|turn| turn.least_served).collect());
    let [ours, stream, theirs] =
        [ours, stream, theirs].map(|turns| median(turns.iter().map(|turn| turn.per_second).collect()));
    for (way, per_second) in [(name::OFFPROC, ours), (name::STREAM, stream), (name::SPAWN_BLOCKING, theirs)] {
        let (load, runtime) = (load.to_string(), runtime.to_string());
        let result = json!({ "load": load, "runtime": runtime, "way": way, "tasks": tasks, "per_second": per_second });
        output.record("throughput", result);
    }
    let ratio = match (load, tasks) {
        (Load::Quiet, 1) => Bar::AtLeast(10.0),
        (Load::Loaded, 1) | (Load::Quiet, 64) => Bar::AtLeast(1.0),
        _ => Bar::None,
    };
    let of = format!("no-op calls a second, {tasks} tasks, {runtime}, {load}").replace(" 1 tasks", " 1 task");
    let from = format!("{ours:.0} / {theirs:.0}");
    output.figure(format!("{of}: against spawn_blocking"), ours / theirs, "×", ratio, from);
    if tasks == 64 {
        let rate = if load == Load::Quiet { Bar::AtLeast(1e6) } else { Bar::None };
        // Without an executor that makes each task wait its turn, one may be served all the time and others never.
        let from = format!("the least served task had {:.2} of its fair share", least_served);
        output.figure(format!("{of}: offproc"), ours, "/s", rate, from);
    }
    Ok(())
}

struct Turn {
    per_second: f64,
    /// Calls of the task that had the fewest, as a share of what each would have had.
    least_served: f64,
}

/// Lets so many tasks make calls, one after the other each, until the time is over.
async fn calls_in<C, F>(tasks: usize, time: Duration, call: C) -> Turn
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let begin = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let call = call.clone();
        running.spawn(async move {
            let mut calls = 0_u64;
            // Not a timer: one that shares a thread with tasks that never wait would never be polled.
            while begin.elapsed() < time {
                for _ in 0..8 {
                    call().await;
                }
                calls += 8;
            }
            calls
        });
    }
    let calls = running.join_all().await;
    let all = calls.iter().sum::<u64>() as f64;
    let fewest = calls.iter().min().map_or(0.0, |fewest| *fewest as f64);
    Turn { per_second: all / begin.elapsed().as_secs_f64(), least_served: fewest * tasks as f64 / all }
}
