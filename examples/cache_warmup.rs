//! What a call costs: cold (a worker has to be started), warm (one is waiting in the cache), and
//! for every MiB that travels with it.
//!
//! ```sh
//! cargo run --release --example cache_warmup
//! ```

use std::time::{Duration, Instant};

use offproc::{SharedBytes, WorkerContext, run_sync};
use tokio::task::spawn_blocking;

const MIB: usize = 1 << 20;

fn no_op(_: ()) {}

/// A `Vec<u8>`, as any vector of numbers, is copied on its way …
fn echo_vec(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// … and `SharedBytes` lie in memory that both sides map.
fn echo_shared(bytes: SharedBytes) -> SharedBytes {
    bytes
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:42}{:>11}{:>11}", "a call that does nothing", "median", "p99");

    let mut cold = Vec::new();
    for _ in 0..20 {
        // Each context has workers of its own, and starts with none.
        let context = WorkerContext::builder().open()?;
        let start = Instant::now();
        context.run_sync(no_op, ()).await?;
        cold.push(start.elapsed());
        context.close().await?;
    }
    report("cold: a worker is started for it", cold);

    // From here on the default context, where the first call is a cold one as well.
    run_sync(no_op, ()).await?;
    let mut warm = Vec::new();
    for _ in 0..2_000 {
        let start = Instant::now();
        run_sync(no_op, ()).await?;
        warm.push(start.elapsed());
    }
    report("warm: a worker waits in the cache", warm);

    let mut thread = Vec::new();
    for _ in 0..2_000 {
        let start = Instant::now();
        spawn_blocking(|| no_op(())).await?;
        thread.push(start.elapsed());
    }
    report("for comparison: tokio's spawn_blocking", thread);

    println!("\n{:42}{:>11}{:>11}", "bytes there and back, for each MiB", "Vec<u8>", "shared");
    for size in [1, 4, 16] {
        let (mut copied, mut shared) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let bytes = vec![7; size * MIB];
            let start = Instant::now();
            let back = run_sync(echo_vec, bytes).await?;
            copied.push(start.elapsed() / size as u32);

            let bytes = SharedBytes::copy_from_slice(&back)?;
            let start = Instant::now();
            let back = run_sync(echo_shared, bytes).await?;
            shared.push(start.elapsed() / size as u32);
            assert!(back.len() == size * MIB && back.iter().all(|&byte| byte == 7));
        }
        let what = format!("{size} MiB at once");
        println!("{what:42}{:>11}{:>11}", show(quantile(&mut copied, 50)), show(quantile(&mut shared, 50)));
    }
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    println!("{what:42}{:>11}{:>11}", show(quantile(&mut times, 50)), show(quantile(&mut times, 99)));
}

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

fn show(time: Duration) -> String {
    format!("{:.1} us", 1e6 * time.as_secs_f64())
}
