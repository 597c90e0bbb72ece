//! What a call costs: cold (a worker has to be started), warm (one is waiting in the cache), and
//! for every MiB that travels with it.
//!
//! ```sh
//! cargo run --release --example cache_warmup
//! ```

use std::time::{Duration, Instant};

use offproc::{WorkerContext, run_sync};
use serde_bytes::ByteBuf;
use tokio::task::spawn_blocking;

const MIB: usize = 1 << 20;

fn no_op(_: ()) {}

/// `serde` sees a `Vec<u8>` as a list of numbers, and handles it number by number …
fn echo_numbers(list: Vec<u8>) -> Vec<u8> {
    list
}

/// … and a `ByteBuf` as one block of bytes, which is copied at once.
fn echo_bytes(block: ByteBuf) -> ByteBuf {
    block
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

    println!("\n{:42}{:>11}{:>11}", "bytes there and back, for each MiB", "Vec<u8>", "ByteBuf");
    for size in [1, 4, 16] {
        let (mut numbers, mut bytes) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let list = vec![7; size * MIB];
            let start = Instant::now();
            let back = run_sync(echo_numbers, list).await?;
            numbers.push(start.elapsed() / size as u32);

            let block = ByteBuf::from(back);
            let start = Instant::now();
            let back = run_sync(echo_bytes, block).await?;
            bytes.push(start.elapsed() / size as u32);
            assert!(back.len() == size * MIB && back.iter().all(|&byte| byte == 7));
        }
        let what = format!("{size} MiB at once");
        println!("{what:42}{:>11}{:>11}", show(quantile(&mut numbers, 50)), show(quantile(&mut bytes, 50)));
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
