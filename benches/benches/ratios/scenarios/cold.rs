//! The first call of a worker, for each way to start one, by the memory that the parent has in use.

use super::Outcome;
use super::latency::merge;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::peers::role::{Player, Role};
use crate::procfs::available_memory;
use crate::runtimes::Tokio;
use crate::stats::{Samples, Summary, time};
use offproc::{Error, WorkerContext, WorkerType};
use offproc_bench::noop;
use serde_json::json;
use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
/// The parent's memory in use, on top of its own.
const RESIDENT: [usize; 4] = [0, 256 * MIB, 1024 * MIB, 2048 * MIB];
const NAMES: [&str; 5] = ["Command", "Spawn", "ForkServer", "fork", "procspawn::spawn"];

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rounds = options.pick(8, 120);
    let mut measured = Vec::new();
    for resident in RESIDENT {
        if available_memory() < 2 * resident as u64 {
            println!("  not enough memory for a parent of {} MiB: not measured", resident / MIB);
            continue;
        }
        // Written to, so that it is there.
        let held = vec![1_u8; resident];
        let samples = Tokio::Multi.run(512, measure(rounds))??;
        drop(black_box(held));
        let summaries = samples.map(Samples::summary);
        for (way, summary) in NAMES.iter().zip(&summaries) {
            let mut result = json!({ "way": way, "resident": resident });
            merge(&mut result, summary.to_json(false));
            output.record("cold", result);
        }
        measured.push((resident, summaries));
    }
    let Some((0, [command, spawn, fork_server, fork, procspawn])) = measured.first() else { return Ok(()) };
    let mut ratio = |name: &str, one: &Summary, other: &Summary, bar| {
        let from = format!("{} / {}", time(one.p50()), time(other.p50()));
        output.figure(format!("cold call, {name}"), one.p50() / other.p50(), "×", bar, from);
    };
    ratio("Spawn against Command to its first byte", spawn, command, Bar::AtMost(1.3));
    ratio("procspawn::spawn against Spawn", procspawn, spawn, Bar::None);
    ratio("fork against Command to its first byte", fork, command, Bar::None);
    ratio("ForkServer against Spawn", fork_server, spawn, Bar::AtMost(0.3));
    if let Some((resident, [_, spawn_large, fork_server_large, fork_large, _])) = measured.last()
        && *resident == 2048 * MIB
    {
        ratio("ForkServer, 2 GiB resident against none", fork_server_large, fork_server, Bar::AtMost(1.2));
        ratio("Spawn, 2 GiB resident against none", spawn_large, spawn, Bar::None);
        ratio("fork, 2 GiB resident against none", fork_large, fork, Bar::None);
    }
    let from = format!("p90 {}, p99 {}", time(fork_server.quantile(0.9)), time(fork_server.p99()));
    output.figure("cold call, ForkServer, p50", fork_server.p50() / 1e6, "ms", Bar::AtMost(0.35), from);
    Ok(())
}

/// One cold call of each way in turn; but forks of this process after all the others, since each leaves this process
/// with pages to be copied and the system with page tables to be cleared away, which the next way would pay for.
async fn measure(rounds: usize) -> Result<[Samples; 5], Error> {
    // SAFETY: what runs in these workers is a no-op, which needs no thread and no lock of this process.
    let fork = unsafe { WorkerType::fork() };
    let [spawn, fork_server, fork] = [WorkerType::Spawn, WorkerType::ForkServer, fork].map(|worker_type| {
        let context = WorkerContext::builder().worker_type(worker_type).retire_after_jobs(1..=1);
        context.open().expect("the settings are fine")
    });
    let mut samples: [Samples; 5] = Default::default();
    // The first round also starts the fork server, and does not count.
    for round in 0..=rounds {
        let took = [
            (0, first_byte().await),
            (1, first_call(&spawn).await?),
            (2, first_call(&fork_server).await?),
            (4, procspawned().await),
        ];
        took.into_iter().filter(|_| round > 0).for_each(|(way, took)| samples[way].push(took));
    }
    for round in 0..=rounds {
        let took = first_call(&fork).await?;
        if round > 0 {
            samples[3].push(took);
        }
    }
    for context in [spawn, fork_server, fork] {
        context.close().await?;
    }
    Ok(samples)
}

async fn first_call(context: &WorkerContext) -> Result<Duration, Error> {
    let begin = Instant::now();
    context.run_sync(noop, ()).await?;
    let took = begin.elapsed();
    quiet_down().await;
    Ok(took)
}

async fn procspawned() -> Duration {
    let begin = Instant::now();
    procspawn::spawn((), noop).join().expect("a no-op succeeds");
    let took = begin.elapsed();
    quiet_down().await;
    took
}

/// Starts this executable in the plainest way, until its first byte has come back.
async fn first_byte() -> Duration {
    let begin = Instant::now();
    let mut player = Player::start(Role::FirstByte, None).expect("this program can be started");
    player.stdout().read_exact(&mut [0]).expect("it writes a byte");
    let took = begin.elapsed();
    drop(player);
    quiet_down().await;
    took
}

/// What ended is cleared away before the next one starts.
async fn quiet_down() {
    tokio::time::sleep(Duration::from_millis(4)).await;
}
