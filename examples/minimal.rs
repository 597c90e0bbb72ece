//! The smallest whole program: one call to a worker process, and its result back.
//!
//! ```sh
//! cargo run --release --example minimal
//! ```

use offproc::run_sync;

/// An ordinary function: no macro, no registration. It must not capture anything, and its argument
/// and result must be serialisable, because they travel between two processes.
fn fibonacci(n: u32) -> u64 {
    if n < 2 { n.into() } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[tokio::main]
async fn main() -> Result<(), offproc::Error> {
    let (n, me) = (40, std::process::id());
    let result = run_sync(fibonacci, n).await?;
    // A closure that captures nothing is a function too. This call finds the worker of the first
    // one waiting, so nothing is started for it.
    let worker = run_sync(|()| std::process::id(), ()).await?;
    println!("fibonacci({n}) = {result}, says worker {worker} to process {me}");
    Ok(())
}
