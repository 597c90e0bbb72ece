//! The event loop stays smooth while a CPU-bound job runs in a worker process.
//!
//! A task wants to run every millisecond, and measures how late it is each time: first with
//! nothing else to do, then beside work done inline in another async task, then beside the same
//! work done in a worker.
//!
//! ```sh
//! cargo run --release --example checkpointing
//! ```

use std::time::{Duration, Instant};

use offproc::run_sync;
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until};

const TICK: Duration = Duration::from_millis(1);
const JOBS: usize = 30;
/// Makes one job take some 20 to 50 ms: long for an event loop, short for a user.
const LIMIT: u32 = 250_000;

/// Counts primes the slow way. It never awaits, so nothing else runs on its thread meanwhile.
fn count_primes(below: u32) -> usize {
    let is_prime = |n: &u32| !(2..).take_while(|d| d * d <= *n).any(|d| n.is_multiple_of(d));
    (2..below).filter(is_prime).count()
}

/// One thread for everything, so that whatever blocks it shows at once.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), offproc::Error> {
    println!("How late a task is that wants to run every {TICK:?} (tokio rounds up to 1 ms):\n");
    println!("{:22}{:>8}{:>11}{:>11}{:>11}", "", "ticks", "p50", "p99", "max");

    // The first call starts the worker; the measurements below begin with a warm one.
    let primes = run_sync(count_primes, LIMIT).await?;

    let (idle, ()) = lateness_beside(sleep(Duration::from_secs(1))).await;
    report("nothing else to do", idle);

    let inline = async {
        for _ in 0..JOBS {
            assert_eq!(count_primes(LIMIT), primes);
            // As polite as an async task can be, and no help: the job itself cannot yield.
            yield_now().await;
        }
    };
    let (blocked, ()) = lateness_beside(inline).await;
    report("work inline", blocked);

    let in_worker = async {
        for _ in 0..JOBS {
            assert_eq!(run_sync(count_primes, LIMIT).await?, primes);
        }
        Ok::<(), offproc::Error>(())
    };
    let (smooth, done) = lateness_beside(in_worker).await;
    done?;
    report("work in a worker", smooth);
    Ok(())
}

/// Ticks until `work` is done, and returns how late each tick was beside what `work` returned.
async fn lateness_beside<T>(work: impl Future<Output = T>) -> (Vec<Duration>, T) {
    let mut lateness = Vec::new();
    let ticker = async {
        loop {
            let due = Instant::now() + TICK;
            sleep_until(due.into()).await;
            lateness.push(due.elapsed());
        }
    };
    let result = tokio::select! {
        never = ticker => never,
        result = work => result,
    };
    (lateness, result)
}

fn report(what: &str, mut lateness: Vec<Duration>) {
    lateness.sort();
    let last = lateness.len().saturating_sub(1);
    let quantile = |percent| lateness.get(last * percent / 100).copied().unwrap_or(Duration::MAX);
    let [p50, p99, max] = [50, 99, 100].map(|q| format!("{:.2} ms", 1e3 * quantile(q).as_secs_f64()));
    println!("{what:22}{:>8}{p50:>11}{p99:>11}{max:>11}", lateness.len());
}
