//! `cancel_grace(..)`: a job whose call is dropped is asked to stop, and killed only if it does not in time.

use futures::poll;
use offproc::{Limiter, WorkerContext, WorkerType, should_stop};
use offproc_tests::process::{is_reaped, must_end};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, isolated, job, matrix};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

matrix!(
    lets_a_job_stop,
    lets_a_job_stop_that_has_a_soft_limit,
    kills_a_job_that_does_not,
    is_nothing_without_a_kill,
    is_a_default_of_the_context,
    leaves_limits_as_they_are,
    is_over_with_that_of_the_context,
    is_over_when_the_context_is_killed,
    of_a_job_on_its_way,
);

isolated!(is_heeded_in_a_fork_of_a_process_that_asks);

/// Far longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Arrives, works in two threads until it is asked to stop, and leaves a trace.
fn work_until_asked_to_stop((ticket, path): (String, String)) {
    let work = || {
        while !should_stop() {
            std::hint::spin_loop();
        }
    };
    assert!(!should_stop(), "nothing was dropped yet");
    arrive(&ticket);
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    append(&path, "stopped");
}

async fn lets_a_job_stop(case: Case) {
    stops(case, None).await;
}

async fn lets_a_job_stop_that_has_a_soft_limit(case: Case) {
    stops(case, Some(LONG)).await;
}

async fn stops(case: Case, soft_limit: Option<Duration>) {
    let scratch = Scratch::new();
    let (arrivals, path) = (Arrivals::new(&scratch, "arrivals"), scratch.path("trace"));
    let context = case.context();
    let limiter = Limiter::new(1);
    let call = context.run_sync(work_until_asked_to_stop, (arrivals.ticket(), path.clone())).limiter(&limiter);
    let call = if let Some(limit) = soft_limit { call.soft_time_limit(limit) } else { call };
    let mut call = call.kill_on_cancel(true).cancel_grace(LONG);
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    // The token comes back with the end of the job, which is not a kill.
    let next = context.run_sync(|()| (should_stop(), std::process::id()), ()).soft_time_limit(LONG).limiter(&limiter);
    let (asked, other) = next.await.unwrap();
    assert_eq!((trace(&path).as_str(), asked), ("stopped", false));
    assert_ne!(pid, other, "its worker leaves");
    until("it has left", || is_reaped(pid)).await;
    assert_eq!(context.statistics().abandoned_jobs, 0);
    context.close().await.unwrap();
    assert_eq!((context.statistics().killed, context.statistics().crashed), (0, 0));
}

async fn kills_a_job_that_does_not(case: Case) {
    const GRACE: Duration = Duration::from_millis(100);
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let limiter = Limiter::new(1);
    let call = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket()).limiter(&limiter);
    let mut call = call.kill_on_cancel(true).cancel_grace(GRACE);
    let pid = drive_until(&mut call, arrivals.next()).await;
    let dropped = Instant::now();
    drop(call);
    assert_eq!((limiter.borrowed_tokens(), context.statistics().abandoned_jobs), (1, 1));
    let permit = limiter.acquire().await;
    assert!(dropped.elapsed() >= GRACE);
    must_end(pid);
    drop(permit);
    // It was to be killed: no error.
    context.close().await.unwrap();
    assert_eq!(context.statistics().killed, 1);
}

async fn is_nothing_without_a_kill(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let path = scratch.path("trace");
    let context = case.context();
    let run = |(ticket, gate, trace): (String, String, String)| {
        job::work((ticket, gate, trace));
        assert!(!should_stop(), "it was not asked to");
    };
    let argument = (arrivals.ticket(), gate.ticket(), path.clone());
    let mut call = context.run_sync(run, argument).cancel_grace(Duration::from_nanos(1));
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    gate.admit_one();
    until("the job is over", || context.statistics().abandoned_jobs == 0).await;
    assert_eq!(trace(&path), "done\n");
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    context.close().await.unwrap();
}

async fn is_a_default_of_the_context(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, path) = (Arrivals::new(&scratch, "arrivals"), scratch.path("trace"));
    let limiter = Limiter::new(1);
    let context = case.builder().kill_on_cancel(true).cancel_grace(LONG).limiter(&limiter).open().unwrap();
    assert_eq!(context.cancel_grace(), LONG);
    let mut call = context.run_sync(work_until_asked_to_stop, (arrivals.ticket(), path.clone()));
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    drop(limiter.acquire().await);
    assert_eq!(trace(&path), "stopped");
    // A call's own wins: none.
    let mut call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).cancel_grace(Duration::ZERO);
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    assert_eq!(limiter.borrowed_tokens(), 0);
    must_end(pid);
    context.close().await.unwrap();
}

async fn leaves_limits_as_they_are(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true).cancel_grace(LONG);
    let mut call = call.cpu_limit(Duration::from_millis(200));
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    must_end(pid);
    context.close().await.unwrap();
}

async fn is_over_with_that_of_the_context(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().grace_period(Duration::from_millis(50)).open().unwrap();
    let call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true);
    let mut call = call.cancel_grace(LONG);
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    let error = context.close().await.unwrap_err();
    assert_eq!((error.count(), error.killed(), error.pid()), (1, 1, pid));
}

async fn is_over_when_the_context_is_killed(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true);
    let mut call = call.cancel_grace(LONG);
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    context.kill();
    must_end(pid);
    assert_eq!(context.close().await.unwrap_err().killed(), 1);
}

async fn of_a_job_on_its_way(case: Case) {
    let context = case.context();
    context.run_sync(job::pid, ()).await.unwrap();
    let call = context.run_sync(|text: String| text.len(), "x".repeat(32 << 20)).kill_on_cancel(true);
    let mut call = call.cancel_grace(LONG);
    assert!(poll!(&mut call).is_pending());
    drop(call);
    until("it is over", || context.statistics().abandoned_jobs == 0).await;
    assert_eq!(context.run_sync(|n: u8| n, 1).await.unwrap(), 1);
    context.close().await.unwrap();
}

/// A job with workers of its own, which are forks of its process while another thread of it is in `should_stop()`.
fn is_heeded_in_a_fork_of_a_process_that_asks() {
    let forks = |trace_path: String| {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !should_stop() && !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            for round in 1..=10 {
                // SAFETY: the job only computes, and writes to a file.
                let context = WorkerContext::builder().worker_type(unsafe { WorkerType::fork() }).open().unwrap();
                let stops = |path: String| {
                    append(&path, "runs ");
                    while !should_stop() {}
                    append(&path, "stops ");
                };
                let mut call = context.run_sync(stops, trace_path.clone()).kill_on_cancel(true).cancel_grace(LONG);
                let runs = until("it runs", || trace(&trace_path).matches("runs").count() == round);
                futures::executor::block_on(drive_until(&mut call, runs));
                drop(call);
                context.close().wait().unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
    };
    let (scratch, context) = (Scratch::new(), WorkerContext::builder().open().unwrap());
    let path = scratch.path("trace");
    append(&path, "");
    context.run_sync(forks, path.clone()).soft_time_limit(LONG).wait().unwrap();
    assert_eq!(trace(&path), "runs stops ".repeat(10));
    context.close().wait().unwrap();
}
