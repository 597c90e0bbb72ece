//! What must not be the same in all forks: random numbers, and what `.after_fork` is for.

use offproc::{Error, WorkerContext};
use offproc_tests::{Case, job, matrix};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

matrix!(only fork_server:
    random_keys_of_std_are_each_worker_s_own,
    a_function_runs_once_in_each_worker_before_init,
    a_function_that_panics_is_reported,
);

const WORKERS: usize = 4;

/// So many workers, one after the other, each of which draws.
async fn draw(context: &WorkerContext, draw: fn(()) -> u64) -> BTreeSet<u64> {
    let mut drawn = BTreeSet::new();
    for _ in 0..WORKERS {
        drawn.insert(context.run_sync(draw, ()).await.unwrap());
    }
    drawn
}

async fn random_keys_of_std_are_each_worker_s_own(case: Case) {
    let single_use = case.builder().retire_after_jobs(1..=1).preload(|| drop(HashMap::from([(1, 2)])));
    let context = single_use.open().unwrap();
    let draw = draw(&context, |()| RandomState::new().hash_one(0)).await;
    assert_eq!(draw.len(), WORKERS, "{draw:?}");
    context.close().await.unwrap();
}

static STEPS: AtomicU32 = AtomicU32::new(0);

fn step(number: u32) {
    STEPS.store(STEPS.load(Ordering::Relaxed) * 10 + number, Ordering::Relaxed);
}

async fn a_function_runs_once_in_each_worker_before_init(case: Case) {
    let builder = case.builder().preload(|| {
        step(1);
        fastrand::seed(7);
    });
    let builder = builder.after_fork(|| {
        step(2);
        fastrand::seed(u64::from(std::process::id()));
    });
    let context = builder.init(|| step(3)).retire_after_jobs(1..=1).open().unwrap();
    for _ in 0..2 {
        assert_eq!(context.run_sync(|()| STEPS.load(Ordering::Relaxed), ()).await.unwrap(), 123);
    }
    let drawn = draw(&context, |()| fastrand::u64(..)).await;
    assert_eq!(drawn.len(), WORKERS, "{drawn:?}");
    context.close().await.unwrap();
}

async fn a_function_that_panics_is_reported(case: Case) {
    let context = case.builder().after_fork(|| panic!("no seed")).open().unwrap();
    match context.run_sync(job::pid, ()).await.unwrap_err() {
        Error::Panicked(panic) => assert_eq!(panic.message(), "no seed"),
        other => panic!("not a panic: {other:?}"),
    }
    context.close().await.unwrap();
}
