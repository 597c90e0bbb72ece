//! The `retire` function decides after each job whether its worker takes another one; the caller's result is never
//! lost over it.

use futures::future::join_all;
use offproc::Limiter;
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::until;
use offproc_tests::{Case, job, matrix};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

matrix!(
    makes_single_use_workers,
    makes_dual_use_workers,
    keeps_workers_that_are_to_stay,
    runs_each_call_exactly_once_while_workers_retire,
    that_panics_costs_no_call_and_is_told_at_close,
    that_kills_its_worker_costs_no_call_and_is_told_at_close,
    that_never_ends_delays_nobody_and_is_killed_at_close,
);

async fn makes_single_use_workers(case: Case) {
    let context = case.builder().retire(|| true).open().unwrap();
    let mut pids = HashSet::new();
    for _ in 0..10 {
        pids.insert(context.run_sync(job::pid, ()).await.unwrap());
    }
    assert_eq!(pids.len(), 10);
    until("none is left", || context.statistics().idle_workers == 0).await;
    context.close().await.unwrap();
}

fn second_time() -> bool {
    static JOBS: AtomicU32 = AtomicU32::new(0);
    JOBS.fetch_add(1, Ordering::Relaxed) == 1
}

async fn makes_dual_use_workers(case: Case) {
    let context = case.builder().retire(second_time).open().unwrap();
    let mut pids = HashMap::<u32, u32>::new();
    for _ in 0..10 {
        *pids.entry(context.run_sync(job::pid, ()).await.unwrap()).or_default() += 1;
    }
    assert!(pids.len() == 5 && pids.values().all(|jobs| *jobs == 2), "{pids:?}");
    context.close().await.unwrap();
}

async fn keeps_workers_that_are_to_stay(case: Case) {
    let context = case.builder().retire(|| false).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    for _ in 0..10 {
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    }
    context.close().await.unwrap();
}

async fn runs_each_call_exactly_once_while_workers_retire(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.builder().retire(second_time).idle_timeout(Duration::from_millis(1)).open().unwrap();
    let three = Limiter::new(3);
    let calls = (0..60).map(|_| {
        let call = context.run_sync(|path: String| append(&path, "."), path.clone()).limiter(&three);
        async move { call.await.unwrap() }
    });
    join_all(calls).await;
    context.close().await.unwrap();
    assert_eq!(trace(&path).len(), 60);
}

async fn that_panics_costs_no_call_and_is_told_at_close(case: Case) {
    let told = fails(case, || panic!("retire does not work")).await;
    assert!(told.contains("exited with code"), "{told}");
}

async fn that_kills_its_worker_costs_no_call_and_is_told_at_close(case: Case) {
    let told = fails(case, || {
        job::end_at_once(5);
        false
    })
    .await;
    assert!(told.contains("exited with code 5"), "{told}");
}

async fn fails(case: Case, retire: fn() -> bool) -> String {
    let context = case.builder().retire(retire).open().unwrap();
    let limiter = Limiter::new(1);
    let mut pids = HashSet::new();
    for _ in 0..3 {
        pids.insert(context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap());
    }
    assert_eq!((pids.len(), limiter.borrowed_tokens()), (3, 0));
    let unclean = context.close().await.unwrap_err();
    assert_eq!(unclean.count(), 3, "{unclean}");
    assert!(pids.iter().all(|pid| unclean.to_string().contains(&pid.to_string())), "all are named: {unclean}");
    unclean.to_string()
}

async fn that_never_ends_delays_nobody_and_is_killed_at_close(case: Case) {
    let retire = || {
        job::block_all_signals();
        job::spin()
    };
    let context = case.builder().retire(retire).grace_period(Duration::from_millis(100)).open().unwrap();
    let first = context.run_sync(job::pid, ()).await.unwrap();
    let second = context.run_sync(job::pid, ()).await.unwrap();
    assert_ne!(first, second);
    let unclean = context.close().await.unwrap_err();
    assert_eq!(unclean.count(), 2, "{unclean}");
    assert!(unclean.to_string().contains("killed by SIGKILL in its retire function"), "{unclean}");
}
