//! Several jobs make equal progress, each on a core of its own.
//!
//! As many loops as there are CPUs run side by side for a second and a half, each in a worker
//! process, in five calls that hand over where the loop has got to.
//!
//! ```sh
//! cargo run --release --example parallel_loops
//! ```

use std::collections::HashSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use offproc::{Error, current_default_worker_limiter, run_sync};

const ROUNDS: u32 = 5;
const ROUND: Duration = Duration::from_millis(300);

/// Computes for this long, and returns how many steps it did, and in which process.
fn steps_in(time: Duration) -> (u64, u32) {
    let start = Instant::now();
    let (mut steps, mut x) = (0, 1_u64);
    while start.elapsed() < time {
        // Looking at the clock is slow: do it once in a thousand steps.
        for _ in 0..1_000 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
        steps += 1_000;
        // Or the compiler removes the loop, as its result is not used.
        black_box(x);
    }
    (steps, std::process::id())
}

/// One loop: how far it has come after each round, and who did it.
async fn run_loop() -> Result<(Vec<u64>, HashSet<u32>), Error> {
    let (mut progress, mut workers, mut sum) = (Vec::new(), HashSet::new(), 0);
    for _ in 0..ROUNDS {
        let (steps, worker) = run_sync(steps_in, ROUND).await?;
        sum += steps;
        progress.push(sum);
        workers.insert(worker);
    }
    Ok((progress, workers))
}

// One thread is enough: this program only waits.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The default limiter has a token for each CPU.
    let jobs = current_default_worker_limiter().total_tokens();
    let (alone, _) = run_sync(steps_in, ROUND).await?;
    let loops = try_join_all((0..jobs).map(|_| run_loop())).await?;

    println!("Million steps after");
    print!("{:8}", "");
    (1..=ROUNDS).for_each(|n| print!("{:>10}", format!("{:?}", ROUND * n)));
    println!("    in worker");
    for (job, (progress, workers)) in loops.iter().enumerate() {
        print!("{:8}", format!("job {}", job + 1));
        progress.iter().for_each(|&steps| print!("{:>10.1}", steps as f64 / 1e6));
        println!("    {workers:?}");
    }

    let totals = || loops.iter().filter_map(|(progress, _)| progress.last());
    let (least, most) = (totals().min().unwrap_or(&0), totals().max().unwrap_or(&1));
    let equal = 100.0 * *least as f64 / *most as f64;
    let speedup = totals().sum::<u64>() as f64 / (alone * u64::from(ROUNDS)) as f64;
    println!("\nThe slowest job came {equal:.0} % as far as the fastest.");
    println!("Together the {jobs} did {speedup:.1} times the work of one alone.");
    Ok(())
}
