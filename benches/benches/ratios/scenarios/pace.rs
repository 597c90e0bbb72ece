//! What spinning costs a worker that gets a job every millisecond: it should learn that spinning does not pay.

use super::Outcome;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::pause::Pause;
use crate::procfs;
use crate::runtimes::Tokio;
use offproc::{Error, WorkerContext, WorkerContextBuilder};
use offproc_bench::noop;
use std::time::{Duration, Instant};

/// With spinning and without in turn, so that a disturbance meets both.
pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let turns = options.pick(2, 5);
    let turn = Duration::from_secs(options.pick(1, 2));
    let (spinning, sleeping) = Tokio::Current.run(2, async move {
        let spinning = Paced::start(WorkerContext::builder()).await?;
        let sleeping = Paced::start(WorkerContext::builder().max_spin(Duration::ZERO)).await?;
        let mut shares = (0.0, 0.0);
        for _ in 0..turns {
            shares.0 += spinning.share(turn).await?;
            shares.1 += sleeping.share(turn).await?;
        }
        Ok::<_, std::io::Error>((shares.0 / f64::from(turns), shares.1 / f64::from(turns)))
    })??;
    let name = "CPU of a worker at one no-op a millisecond, above that without spinning";
    let from = format!("{:.2} % and {:.2} % of one CPU", spinning * 100.0, sleeping * 100.0);
    output.figure(name, (spinning - sleeping) * 100.0, "points", Bar::AtMost(2.0), from);
    output.figure("the same, as a ratio", spinning / sleeping, "×", Bar::None, String::new());
    Ok(())
}

struct Paced {
    context: WorkerContext,
    worker: u32,
}

impl Paced {
    async fn start(builder: WorkerContextBuilder) -> std::io::Result<Self> {
        let context = builder.open().map_err(std::io::Error::other)?;
        let worker = context.run_sync(|()| std::process::id(), ()).await.map_err(std::io::Error::other)?;
        Ok(Self { context, worker })
    }

    /// The share of a CPU that the worker uses.
    async fn share(&self, over: Duration) -> std::io::Result<f64> {
        let pause = Pause::new(Duration::from_millis(1))?;
        let (begin, before) = (Instant::now(), procfs::cpu_nanos(self.worker)?);
        while begin.elapsed() < over {
            pause.wait().await?;
            self.context.run_sync(noop, ()).await.map_err(|e: Error| std::io::Error::other(e))?;
        }
        Ok((procfs::cpu_nanos(self.worker)? - before) as f64 / begin.elapsed().as_nanos() as f64)
    }
}
