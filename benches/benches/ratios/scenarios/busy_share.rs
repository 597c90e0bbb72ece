//! How much of two CPUs jobs of 100 us get, when there are always more of them waiting.

use super::Outcome;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::peers::pools::name;
use crate::runtimes::Tokio;
use crate::stats::median;
use offproc::{Limiter, WorkerContext};
use rustix::event::{EventfdFlags, eventfd};
use rustix::time::{ClockId, clock_gettime};
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const JOB: Duration = Duration::from_micros(100);
const TASKS: usize = 64;
const WORKERS: usize = 2;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let turns = options.pick(2, 5);
    let turn = Duration::from_millis(options.pick(150, 600));
    for rings in [false, true] {
        let shares = (0..turns).map(|_| raw_share(turn, rings)).collect::<io::Result<Vec<_>>>()?;
        let what = if rings { "and each end wakes a thread" } else { "and nothing else" };
        let name = format!("two threads use 100 us at a time, {what}: share of two CPUs");
        output.figure(name, median(shares) * 100.0, "%", Bar::None, "the machine's own limit".to_owned());
    }
    for runtime in Tokio::BOTH {
        let (ours, theirs) = runtime.run(WORKERS, async move {
            let context = WorkerContext::builder().open().expect("the settings are fine");
            let limiter = Limiter::new(WORKERS);
            let offproc = {
                let context = context.clone();
                move || {
                    let call = context.run_sync(burn, JOB).limiter(&limiter);
                    async { call.await.expect("burning time succeeds") }
                }
            };
            let spawn_blocking =
                || async { tokio::task::spawn_blocking(|| burn(JOB)).await.expect("burning time does not panic") };
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            share(Duration::from_millis(50), offproc.clone()).await;
            for _ in 0..turns {
                ours.push(share(turn, offproc.clone()).await);
                theirs.push(share(turn, spawn_blocking).await);
            }
            let _ = context.close().await;
            (median(ours), median(theirs))
        })?;
        let name = format!("jobs of 100 us, 64 tasks, 2 workers, {runtime}: share of two CPUs");
        let from = format!("{} with two threads: {:.1} %", name::SPAWN_BLOCKING, theirs * 100.0);
        output.figure(name, ours * 100.0, "%", Bar::AtLeast(93.0), from);
    }
    Ok(())
}

/// Uses the CPU for so long; time in which others have it does not count.
fn burn(time: Duration) {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("used time is positive");
    let begin = used();
    while used() - begin < time {
        std::hint::spin_loop();
    }
}

/// The share of the CPUs that jobs get without any pool, if the end of each wakes a thread, as it must where that
/// thread hands out the next job, and if it does not. The jobs do not wait for the woken thread, so this is more than a
/// pool can reach.
fn raw_share(time: Duration, rings: bool) -> io::Result<f64> {
    let bell = eventfd(0, EventfdFlags::CLOEXEC)?;
    let is_over = AtomicBool::new(false);
    let ring = || rustix::io::write(&bell, &1_u64.to_ne_bytes());
    let begin = Instant::now();
    let jobs = thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let mut count = [0; 8];
            loop {
                if rustix::io::read(&bell, &mut count).is_err() || is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut jobs = 0_u32;
                    while begin.elapsed() < time {
                        burn(JOB);
                        jobs += 1;
                        if rings {
                            let _ = ring();
                        }
                    }
                    jobs
                })
            })
            .collect();
        let jobs = workers.into_iter().map(|worker| worker.join().expect("burning time does not panic")).sum::<u32>();
        is_over.store(true, Ordering::Relaxed);
        let rung = ring();
        sleeper.join().expect("reading does not panic");
        rung.map(|_| jobs)
    })?;
    Ok(f64::from(jobs) * JOB.as_secs_f64() / (begin.elapsed().as_secs_f64() * WORKERS as f64))
}

/// The time that jobs had the CPU, as a share of what two CPUs have.
async fn share<C, F>(time: Duration, job: C) -> f64
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let begin = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let job = job.clone();
        running.spawn(async move {
            let mut jobs = 0_u32;
            while begin.elapsed() < time {
                job().await;
                jobs += 1;
            }
            jobs
        });
    }
    let jobs: u32 = running.join_all().await.iter().sum();
    f64::from(jobs) * JOB.as_secs_f64() / (begin.elapsed().as_secs_f64() * WORKERS as f64)
}
