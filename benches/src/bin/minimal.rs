//! The smallest program that uses offproc, kept alive so that others can look at it and its workers from outside.
//!
//! `minimal [WORKERS [busy]]` brings up that many workers, prints their process ids on one line, and then does nothing;
//! its workers neither, or nothing but compute.

use std::time::Duration;

/// Long enough for all the workers to be needed at once.
fn who_am_i((): ()) -> u32 {
    std::thread::sleep(Duration::from_millis(50));
    std::process::id()
}

fn compute((): ()) {
    loop {
        std::hint::spin_loop();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workers = std::env::args().nth(1).map_or(Ok(1), |count| count.parse())?;
    let limiter = offproc::Limiter::new(workers);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..workers {
        let limiter = limiter.clone();
        calls.spawn(async move { offproc::run_sync(who_am_i, ()).limiter(&limiter).await });
    }
    let pids = calls.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut computing = tokio::task::JoinSet::new();
    if std::env::args().nth(2).is_some_and(|what| what == "busy") {
        for _ in 0..workers {
            let limiter = limiter.clone();
            computing.spawn(async move { offproc::run_sync(compute, ()).limiter(&limiter).await });
        }
        // Each has its job after one poll.
        while limiter.available_tokens() > 0 {
            tokio::task::yield_now().await;
        }
    }
    println!("{}", pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    std::future::pending().await
}
