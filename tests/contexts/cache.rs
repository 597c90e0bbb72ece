//! Idle workers are used again, the one used last first, and replaced unnoticed when they have died.

use offproc::Limiter;
use offproc_tests::process::{kill, must_end};
use offproc_tests::rendezvous::{Arrivals, Gate, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, job, matrix};
use std::sync::atomic::{AtomicU32, Ordering};

matrix!(
    uses_a_worker_again,
    prefers_the_worker_used_last,
    keeps_the_globals_of_a_worker,
    notices_a_worker_that_died_idle,
    runs_elsewhere_what_was_meant_for_a_worker_that_died_idle,
    counts_its_workers,
    keeps_contexts_apart,
);

async fn uses_a_worker_again(case: Case) {
    let context = case.context();
    let first = context.run_sync(job::pid, ()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), first);
    }
    context.close().await.unwrap();
}

async fn prefers_the_worker_used_last(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let gates = [Gate::new(&scratch, "first"), Gate::new(&scratch, "second")];
    let context = case.context();
    let two = Limiter::new(2);
    let call = |gate: &Gate| {
        let arguments = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
        context.run_sync(job::work, arguments).limiter(&two).into_future()
    };
    let (mut first, mut second) = (call(&gates[0]), call(&gates[1]));
    let first_pid = drive_until(&mut first, arrivals.next()).await;
    let second_pid = drive_until(&mut second, arrivals.next()).await;
    assert_ne!(first_pid, second_pid);
    gates[1].admit_one();
    second.await.unwrap();
    gates[0].admit_one();
    first.await.unwrap();
    for _ in 0..3 {
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), first_pid);
    }
    context.close().await.unwrap();
}

async fn keeps_the_globals_of_a_worker(case: Case) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let context = case.context();
    for expected in 1..=5 {
        let calls = context.run_sync(|()| CALLS.fetch_add(1, Ordering::Relaxed) + 1, ()).await.unwrap();
        assert_eq!(calls, expected);
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 0, "they are the worker's, not the caller's");
    context.close().await.unwrap();
}

async fn notices_a_worker_that_died_idle(case: Case) {
    let context = case.context();
    let first = context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(context.statistics().idle_workers, 1);
    kill(first);
    until("the cache drops a dead worker by itself", || context.statistics().idle_workers == 0).await;
    assert_ne!(context.run_sync(job::pid, ()).await.unwrap(), first);
    let unclean = context.close().await.unwrap_err();
    assert_eq!((unclean.pid(), unclean.count()), (first, 1));
    assert!(unclean.to_string().contains("killed by SIGKILL"), "{unclean}");
}

/// The call comes as soon as the worker is dead, at times before the cache has noticed.
async fn runs_elsewhere_what_was_meant_for_a_worker_that_died_idle(case: Case) {
    let context = case.context();
    for _ in 0..20 {
        let pid = context.run_sync(job::pid, ()).await.unwrap();
        kill(pid);
        must_end(pid);
        let next = context.run_sync(job::pid, ()).await.expect("no job was lost, so no call may fail");
        assert_ne!(next, pid);
    }
    assert_eq!(context.close().await.unwrap_err().count(), 20);
}

async fn counts_its_workers(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    // So that none is ready before it was counted.
    let start = Gate::new(&scratch, "start");
    let waits = || assert!(pass(&std::env::var("START").unwrap()));
    let context = case.builder().env("START", start.ticket()).init(waits).open().unwrap();
    let count = || {
        let statistics = context.statistics();
        (statistics.starting_workers, statistics.running_workers, statistics.idle_workers)
    };
    assert_eq!(count(), (0, 0, 0));
    let arguments = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut call = context.run_sync(job::work, arguments).into_future();
    assert_eq!(count(), (0, 0, 0), "nothing starts before the first poll");
    assert!(futures::poll!(&mut call).is_pending());
    assert_eq!(count(), (1, 0, 0));
    start.admit_one();
    drive_until(&mut call, arrivals.next()).await;
    assert_eq!(count(), (0, 1, 0));
    gate.admit_one();
    call.await.unwrap();
    assert_eq!(count(), (0, 0, 1));
    context.close().await.unwrap();
    assert_eq!(count(), (0, 0, 0));
}

async fn keeps_contexts_apart(case: Case) {
    let (one, other) = (case.context(), case.context());
    let pid = one.run_sync(job::pid, ()).await.unwrap();
    assert_ne!(other.run_sync(job::pid, ()).await.unwrap(), pid);
    assert_eq!(one.clone().run_sync(job::pid, ()).await.unwrap(), pid);
    one.close().await.unwrap();
    other.run_sync(job::pid, ()).await.unwrap();
    other.close().await.unwrap();
}
