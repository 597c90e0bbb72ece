//! Calls in a row that each have a worker of their own.

use super::Outcome;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::runtimes::Tokio;
use crate::stats::median;
use offproc::{Error, WorkerContext, WorkerType};
use offproc_bench::noop;
use serde_json::json;
use std::time::Instant;

const CALLS: u32 = 200;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rows = [("ForkServer", WorkerType::ForkServer, Bar::AtLeast(1500.0)), ("Spawn", WorkerType::Spawn, Bar::None)];
    for (name, worker_type, bar) in rows {
        let context = WorkerContext::builder().worker_type(worker_type).retire_after_jobs(1..=1).open()?;
        let repeats = options.pick(1, 7);
        let rates = Tokio::Multi.run(512, async move {
            context.run_sync(noop, ()).await?;
            let mut rates = Vec::new();
            for _ in 0..repeats {
                let begin = Instant::now();
                for _ in 0..CALLS {
                    context.run_sync(noop, ()).await?;
                }
                rates.push(f64::from(CALLS) / begin.elapsed().as_secs_f64());
            }
            context.close().await.map_err(Error::from)?;
            Ok::<_, Error>(rates)
        })??;
        let from = format!("{repeats} × {CALLS} calls in a row, the middle one");
        let rate = median(rates);
        output.record("single-use", json!({ "worker_type": name, "per_second": rate }));
        output.figure(format!("single-use calls a second, {name}"), rate, "/s", bar, from);
    }
    Ok(())
}
