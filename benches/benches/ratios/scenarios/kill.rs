//! How fast workers end: after a call is dropped, and after their program is killed.

use super::latency::merge;
use super::programs::Idle;
use super::{Failure, Outcome};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::runtimes::Tokio;
use crate::stats::{Samples, median, time};
use offproc::{WorkerContext, WorkerType};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::json;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::Poll;
use std::time::{Duration, Instant};

const WORKERS: usize = 64;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rounds = options.pick(40, 500);
    for (name, worker_type) in [("Spawn", WorkerType::Spawn), ("ForkServer", WorkerType::ForkServer)] {
        let (deaths, nexts) = Tokio::Multi.run(512, drops(worker_type.clone(), rounds))??;
        let (deaths, nexts) = (deaths.summary(), nexts.summary());
        for (what, summary) in [("death", &deaths), ("next call", &nexts)] {
            let mut result = json!({ "worker_type": name, "what": what });
            merge(&mut result, summary.to_json(false));
            output.record("kill", result);
        }
        let from = format!("p50 {}, of {rounds}", time(deaths.p50()));
        let title = format!("from drop to the worker's death, {name}, p99");
        output.figure(title, deaths.p99() / 1e6, "ms", Bar::AtMost(2.0), from);
        let bar = if worker_type == WorkerType::ForkServer { Bar::AtMost(1.0) } else { Bar::None };
        let from = format!("p99 {}", time(nexts.p99()));
        output.figure(format!("the next call after it, {name}, p50"), nexts.p50() / 1e6, "ms", bar, from);
    }
    let repeats = options.pick(2, 7);
    let times = (0..repeats).map(|_| parent_killed(WORKERS)).collect::<Result<Vec<_>, _>>()?;
    let worst = times.iter().copied().fold(0.0, f64::max);
    let from = format!("the worst of {repeats}; the middle one {:.1} ms", median(times));
    let title = format!("from SIGKILL of the program to the end of {WORKERS} busy workers");
    output.figure(title, worst, "ms", Bar::AtMost(100.0), from);
    let (rounds, cpus) = (options.pick(20, 200), std::thread::available_parallelism()?.get());
    let mut ends = Samples::default();
    for _ in 0..rounds {
        ends.push(Duration::from_secs_f64(parent_killed(cpus)? / 1e3));
    }
    let ends = ends.summary();
    // There a thread of the worker ends it, which has to get a CPU first.
    let build = if cfg!(offproc_portable) { ", portable build" } else { "" };
    let title = format!("from SIGKILL of the program to the end of busy workers, one a CPU, p99{build}");
    let from = format!("p50 {}, of {rounds}", time(ends.p50()));
    output.figure(title, ends.p99() / 1e6, "ms", Bar::AtMost(100.0), from);
    Ok(())
}

/// Drops running calls: until the worker has ended, and then until the next call is served.
async fn drops(worker_type: WorkerType, rounds: usize) -> Result<(Samples, Samples), Failure> {
    let context = WorkerContext::builder().worker_type(worker_type).open()?;
    let (mut deaths, mut nexts) = (Samples::default(), Samples::default());
    let mut pid = context.run_sync(|()| std::process::id(), ()).await?;
    for _ in 0..rounds {
        let worker = open(pid)?;
        // It goes to the one worker there is.
        let mut call = context.run_sync(compute, ()).kill_on_cancel(true).into_future();
        poll_fn(|cx| {
            let _ = std::pin::Pin::new(&mut call).poll(cx);
            Poll::Ready(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let begin = Instant::now();
        drop(call);
        wait_for_end(&worker)?;
        deaths.push(begin.elapsed());
        let begin = Instant::now();
        pid = context.run_sync(|()| std::process::id(), ()).await?;
        nexts.push(begin.elapsed());
        // The fork server, or the system, has time to clear away.
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    context.close().await?;
    Ok((deaths, nexts))
}

fn compute((): ()) {
    loop {
        std::hint::spin_loop();
    }
}

/// Kills a program that has busy workers, until the last of them has ended; milliseconds.
fn parent_killed(workers: usize) -> io::Result<f64> {
    let program = Idle::start_busy(workers)?;
    let workers = program.workers.iter().map(|pid| open(*pid)).collect::<io::Result<Vec<_>>>()?;
    let begin = Instant::now();
    drop(program);
    workers.iter().try_for_each(wait_for_end)?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

fn open(pid: u32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::NotFound)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn wait_for_end(process: &OwnedFd) -> io::Result<()> {
    poll(&mut [PollFd::new(process, PollFlags::IN)], None)?;
    Ok(())
}
