//! The default context belongs to the process: runtimes come and go, its workers stay.

use futures::{future::join_all, poll};
use offproc::runtimes::Tokio;
use offproc::{
    Limiter, WorkerContext, configure_default_context, current_default_worker_limiter, default_context_statistics,
    run_sync,
};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, Executor, isolated, job, matrix};
use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;
use tokio::runtime::Handle;

matrix!(
    serves_runtimes_in_sequence,
    serves_four_runtimes_side_by_side,
    outlives_a_runtime_that_ends_in_the_middle_of_a_call,
    takes_settings_before_its_first_worker,
    takes_settings_for_a_call_that_waits_for_a_token,
);
isolated!(
    a_pinned_runtime_that_has_ended_is_not_held_against_workers,
    serves_every_kind_of_runtime_in_sequence,
    starts_with_a_token_for_each_cpu,
    starts_workers_for_all_blocking_threads
);

/// Runs a future in a runtime of its own, which ends with it.
async fn elsewhere<F>(executor: Executor, future: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    smol::unblock(move || executor.block_on(future)).await
}

async fn serves_runtimes_in_sequence(case: Case) {
    configure_default_context(case.builder()).unwrap();
    let pid = run_sync(job::pid, ()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(elsewhere(case.executor(), async { run_sync(job::pid, ()).await.unwrap() }).await, pid);
    }
    assert_eq!(run_sync(job::pid, ()).await.unwrap(), pid);
    assert_eq!(default_context_statistics().idle_workers, 1);
}

fn serves_every_kind_of_runtime_in_sequence() {
    let pids: HashSet<_> = Executor::ALL
        .iter()
        .chain(Executor::ALL.iter().rev())
        .map(|executor| executor.block_on(async { run_sync(job::pid, ()).await.unwrap() }))
        .collect();
    assert_eq!(pids.len(), 1);
}

/// Only offproc's own threads are left to start a worker.
fn starts_workers_for_all_blocking_threads() {
    current_default_worker_limiter().set_total_tokens(2);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).max_blocking_threads(2).enable_all().build().unwrap();
    let both = Arc::new(Barrier::new(2));
    let call = || {
        let both = Arc::clone(&both);
        move || {
            both.wait();
            Handle::current().block_on(async { run_sync(job::pid, ()).await.unwrap() })
        }
    };
    let calls = [runtime.spawn_blocking(call()), runtime.spawn_blocking(call())];
    for pid in runtime.block_on(join_all(calls)) {
        assert_ne!(pid.unwrap(), std::process::id());
    }
}

async fn serves_four_runtimes_side_by_side(case: Case) {
    configure_default_context(case.builder()).unwrap();
    current_default_worker_limiter().set_total_tokens(1);
    let runtimes = (0..4).map(|_| {
        elsewhere(case.executor(), async {
            let calls = (0..25).map(|_| async { run_sync(job::pid, ()).await.unwrap() });
            join_all(calls).await
        })
    });
    let pids: HashSet<_> = join_all(runtimes).await.into_iter().flatten().collect();
    assert_eq!(pids.len(), 1, "one token, one worker");
    let statistics = default_context_statistics();
    assert_eq!((statistics.running_workers, statistics.idle_workers), (0, 1));
}

async fn outlives_a_runtime_that_ends_in_the_middle_of_a_call(case: Case) {
    configure_default_context(case.builder()).unwrap();
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let limiter = Limiter::new(1);
    let call = run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone())).limiter(&limiter);
    let (executor, mut call) = (case.executor(), call.into_future());
    let (pid, call) = elsewhere(executor, async move { (drive_until(&mut call, arrivals.next()).await, call) }).await;
    // Now nothing polls it, and its runtime has ended.
    drop(call);
    assert_eq!(default_context_statistics().running_workers, 1);
    gate.admit_one();
    assert_eq!(run_sync(job::pid, ()).limiter(&limiter).await.unwrap(), pid);
    assert_eq!(trace(&path), "done\n");
}

async fn takes_settings_before_its_first_worker(case: Case) {
    let settings = || case.builder().max_message_size(2048);
    configure_default_context(case.builder()).unwrap();
    configure_default_context(settings()).unwrap();
    let error = run_sync(|text: String| text.len(), "x".repeat(4096)).await.unwrap_err();
    assert!(error.to_string().contains("max_message_size"), "{error}");
    run_sync(|text: String| text.len(), "x".repeat(1024)).await.unwrap();
    let stranded = configure_default_context(case.builder()).unwrap_err();
    assert!(stranded.to_string().contains("already has workers"), "{stranded}");
    let nonsense = configure_default_context(WorkerContext::builder().max_message_size(1)).unwrap_err();
    assert!(nonsense.to_string().contains("max_message_size"), "{nonsense}");
    until("the worker is idle", || default_context_statistics().idle_workers == 1).await;
}

async fn takes_settings_for_a_call_that_waits_for_a_token(case: Case) {
    configure_default_context(case.builder()).unwrap();
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire().unwrap();
    let mut call = run_sync(|()| std::env::var("FROM").ok(), ()).limiter(&limiter).into_future();
    assert!(poll!(&mut call).is_pending());
    configure_default_context(case.builder().env("FROM", "the second settings")).unwrap();
    drop(permit);
    assert_eq!(call.await.unwrap().as_deref(), Some("the second settings"));
    until("the worker is idle", || default_context_statistics().idle_workers == 1).await;
}

fn starts_with_a_token_for_each_cpu() {
    let cpus = thread::available_parallelism().unwrap().get();
    assert_eq!(current_default_worker_limiter().total_tokens(), cpus);
}

fn a_pinned_runtime_that_has_ended_is_not_held_against_workers() {
    let runtime = Executor::TokioCurrentThread;
    let (context, pid) = runtime.block_on(async {
        let context = WorkerContext::builder().runtime(Tokio::from(Handle::current())).open().unwrap();
        let pid = context.run_sync(job::pid, ()).await.unwrap();
        (context, pid)
    });
    // With a pause, for an answer that has to be waited for.
    let slow = |()| {
        thread::sleep(std::time::Duration::from_millis(50));
        std::process::id()
    };
    futures::executor::block_on(async move {
        assert_eq!(context.run_sync(slow, ()).await.unwrap(), pid);
        context.close().await.unwrap();
    });
}
