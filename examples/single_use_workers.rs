//! How long a worker serves is a policy: once, twice, or for as long as there are calls.
//!
//! The same six calls go to three contexts that differ in nothing else, and say in which process
//! they ran.
//!
//! ```sh
//! cargo run --release --example single_use_workers
//! ```

use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use offproc::{WorkerContext, WorkerContextBuilder};

const CALLS: usize = 6;

/// A global of each process that has this code: every worker counts for itself, from zero, and
/// keeps its count between calls.
static SERVED: AtomicU32 = AtomicU32::new(0);

/// The job: in which process it runs, and how many that process has done, this one included.
fn serve(_: ()) -> (u32, u32) {
    (process::id(), SERVED.fetch_add(1, Relaxed) + 1)
}

/// Run in the worker after each job: the place for a policy that only the worker can judge, because
/// it looks at what its jobs have left behind. Here that is no more than a count.
fn has_served_twice() -> bool {
    SERVED.load(Relaxed) == 2
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("In which process each of {CALLS} calls ran:\n");

    // For jobs that leak, or leave global state behind: each gets a process that has run no other job. (A range such as
    // `50..=100` retires workers too, but not all that started together at once.)
    let single_use = WorkerContext::builder().retire_after_jobs(1..=1);
    let served = calls("single use", single_use).await?;
    assert!(served.iter().all(|&(_, nth)| nth == 1));
    assert_eq!(workers(&served), CALLS, "each call has a worker of its own");

    let dual_use = WorkerContext::builder().retire(has_served_twice);
    let served = calls("dual use", dual_use).await?;
    assert!(served.chunks(2).all(|pair| pair[0].0 == pair[1].0 && (pair[0].1, pair[1].1) == (1, 2)));
    assert_eq!(workers(&served), CALLS / 2, "two calls share a worker");

    // What `run_sync` outside any context does: a worker leaves when it was idle for ten minutes.
    let served = calls("default", WorkerContext::builder()).await?;
    assert!(served.iter().map(|&(_, nth)| nth).eq(1..=CALLS as u32));
    assert_eq!(workers(&served), 1, "all calls share one worker");

    // All that counting was done in workers.
    assert_eq!(SERVED.load(Relaxed), 0);
    println!("\nA call that finds a worker waiting is the cheapest. Retire workers if their jobs need it.");
    Ok(())
}

/// Makes the calls, one after the other, on workers of a context of their own.
async fn calls(policy: &str, context: WorkerContextBuilder) -> Result<Vec<(u32, u32)>, Box<dyn std::error::Error>> {
    let context = context.open()?;
    let start = Instant::now();
    let mut served = Vec::new();
    for _ in 0..CALLS {
        served.push(context.run_sync(serve, ()).await?);
    }
    let each = start.elapsed() / CALLS as u32;
    // An error if a worker has not ended cleanly; retiring is no failure.
    context.close().await?;

    print!("{policy:12}");
    served.iter().for_each(|(pid, _)| print!("{pid:>9}"));
    println!("{:>11.2} ms a call", 1e3 * each.as_secs_f64());
    Ok(served)
}

/// How many processes there were. The calls of one follow each other.
fn workers(served: &[(u32, u32)]) -> usize {
    served.chunk_by(|(one, _), (next, _)| one == next).count()
}
