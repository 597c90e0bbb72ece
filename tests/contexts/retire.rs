//! The `retire` function decides after each job whether its worker takes another one; the caller's result is never
//! lost over it.

use futures::future::join_all;
use offproc::{Limiter, WorkerContext};
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
    that_panics_costs_no_call_and_is_reported_at_close,
    that_kills_its_worker_costs_no_call_and_is_reported_at_close,
    that_never_ends_delays_no_call_and_is_killed_at_close,
    comes_after_a_number_of_jobs_that_each_worker_draws,
    comes_after_an_age,
    comes_with_the_first_policy_that_says_so,
);
#[cfg(unix)]
matrix!(comes_above_a_resident_memory);

async fn makes_single_use_workers(case: Case) {
    let context = case.builder().retire(|| true).open().unwrap();
    let mut workers = HashSet::new();
    for _ in 0..10 {
        workers.insert(context.run_sync(job::process, ()).await.unwrap());
    }
    assert_eq!(workers.len(), 10);
    until("none is left", || context.statistics().idle_workers == 0).await;
    context.close().await.unwrap();
}

fn second_time() -> bool {
    static JOBS: AtomicU32 = AtomicU32::new(0);
    JOBS.fetch_add(1, Ordering::Relaxed) == 1
}

async fn makes_dual_use_workers(case: Case) {
    let context = case.builder().retire(second_time).open().unwrap();
    let mut workers = HashMap::<_, u32>::new();
    for _ in 0..10 {
        *workers.entry(context.run_sync(job::process, ()).await.unwrap()).or_default() += 1;
    }
    assert!(workers.len() == 5 && workers.values().all(|jobs| *jobs == 2), "{workers:?}");
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

async fn that_panics_costs_no_call_and_is_reported_at_close(case: Case) {
    let reported = fails(case, || panic!("retire does not work")).await;
    assert!(reported.contains("exited with code"), "{reported}");
}

async fn that_kills_its_worker_costs_no_call_and_is_reported_at_close(case: Case) {
    let reported = fails(case, || {
        job::end_at_once(5);
        false
    })
    .await;
    assert!(reported.contains("exited with code 5"), "{reported}");
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

async fn that_never_ends_delays_no_call_and_is_killed_at_close(case: Case) {
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
    assert!(
        unclean.to_string().contains(&format!("{}, sent by offproc, in its retire function", job::KILLED)),
        "{unclean}"
    );
}

/// How many jobs each worker of a context ran that many calls in a row, in the order of their coming.
async fn jobs_of_each(context: &WorkerContext, calls: usize) -> Vec<usize> {
    let (mut workers, mut jobs) = (Vec::new(), Vec::new());
    for _ in 0..calls {
        let worker = context.run_sync(job::process, ()).await.unwrap();
        match workers.iter().position(|known| *known == worker) {
            Some(at) => jobs[at] += 1,
            None => {
                workers.push(worker);
                jobs.push(1);
            }
        }
    }
    jobs
}

async fn comes_after_a_number_of_jobs_that_each_worker_draws(case: Case) {
    let context = case.builder().retire_after_jobs(2..=4).open().unwrap();
    let mut jobs = jobs_of_each(&context, 90).await;
    context.close().await.unwrap();
    // The last one may have some left.
    jobs.pop();
    assert!(jobs.iter().all(|jobs| (2..=4).contains(jobs)), "{jobs:?}");
    assert!(
        jobs.iter().any(|jobs| *jobs != 2) && jobs.iter().any(|jobs| *jobs != 4),
        "not all draw the same: {jobs:?}"
    );
}

async fn comes_after_an_age(case: Case) {
    const AGE: Duration = Duration::from_millis(30);
    let context = case.builder().retire_after_age(AGE).open().unwrap();
    let grow_old = |()| {
        std::thread::sleep(AGE);
        std::process::id()
    };
    let old = context.run_sync(grow_old, ()).await.unwrap();
    assert_ne!(context.run_sync(grow_old, ()).await.unwrap(), old);
    context.close().await.unwrap();
    let context = case.builder().retire_after_age(Duration::from_secs(3600)).open().unwrap();
    assert_eq!(jobs_of_each(&context, 10).await, [10]);
    context.close().await.unwrap();
}

#[cfg(unix)]
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
}

#[cfg(unix)]
async fn comes_above_a_resident_memory(case: Case) {
    const MORE: usize = 64 << 20;
    // A fork begins with what the program has.
    let context = case.builder().retire_above_memory(resident() + MORE as u64 / 2).open().unwrap();
    assert_eq!(jobs_of_each(&context, 5).await, [5]);
    let small = context.run_sync(job::pid, ()).await.unwrap();
    let keep = |bytes: usize| {
        vec![1_u8; bytes].leak();
        std::process::id()
    };
    assert_eq!(context.run_sync(keep, MORE).await.unwrap(), small);
    assert_ne!(context.run_sync(job::pid, ()).await.unwrap(), small);
    context.close().await.unwrap();
}

async fn comes_with_the_first_policy_that_says_so(case: Case) {
    let after_jobs = |jobs| case.builder().retire_after_jobs(jobs..=jobs).retire_after_age(Duration::MAX);
    let later = after_jobs(3).retire_above_memory(u64::MAX).retire(second_time).open().unwrap();
    assert_eq!(jobs_of_each(&later, 6).await, [2, 2, 2]);
    later.close().await.unwrap();
    let sooner = after_jobs(2).retire(|| false).open().unwrap();
    assert_eq!(jobs_of_each(&sooner, 6).await, [2, 2, 2]);
    sooner.close().await.unwrap();
    let memory = after_jobs(3).retire_above_memory(1).open().unwrap();
    assert_eq!(jobs_of_each(&memory, 3).await, [1, 1, 1]);
    memory.close().await.unwrap();
}
