//! A worker without work leaves by itself, and no call fails because of it.

use offproc_tests::process::must_end;
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::until;
use offproc_tests::{Case, job, matrix};
use std::time::Duration;

matrix!(ends_a_worker_and_the_cache_notices, never_costs_a_call_that_comes_at_that_moment, may_be_zero, may_be_endless);

async fn ends_a_worker_and_the_cache_notices(case: Case) {
    let context = case.builder().idle_timeout(Duration::from_millis(20)).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    until("the cache is empty", || context.statistics().idle_workers == 0).await;
    must_end(pid);
    assert_ne!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    // Leaving is no failure.
    context.close().await.unwrap();
}

async fn never_costs_a_call_that_comes_at_that_moment(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let timeout = Duration::from_millis(1);
    let context = case.builder().idle_timeout(timeout).open().unwrap();
    for n in 0..150 {
        context.run_sync(|path: String| append(&path, "."), path.clone()).await.unwrap();
        // Around the moment at which the worker decides.
        smol::Timer::after(timeout * (n % 20) / 10).await;
    }
    context.close().await.unwrap();
    assert_eq!(trace(&path).len(), 150, "each ran exactly once");
}

async fn may_be_zero(case: Case) {
    let context = case.builder().idle_timeout(Duration::ZERO).open().unwrap();
    for n in 0..30 {
        assert_eq!(context.run_sync(|n: u8| n, n).await.unwrap(), n);
    }
    until("no worker stays", || context.statistics().idle_workers == 0).await;
    context.close().await.unwrap();
}

async fn may_be_endless(case: Case) {
    let context = case.builder().idle_timeout(Duration::MAX).grace_period(Duration::MAX).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    assert_eq!((context.idle_timeout(), context.grace_period()), (Duration::MAX, Duration::MAX));
    context.close().await.unwrap();
}
