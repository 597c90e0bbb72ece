//! Tests of programs pause tokio's clock, which then runs ahead whenever nothing else is to be done. What other
//! processes do takes its time all the same.

use offproc::{Error, Limiter};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::blocking_until;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job};
use std::thread::sleep;
use std::time::Duration;

isolated!(
    lets_calls_work,
    holds_timeouts,
    holds_timeouts_around_a_close,
    is_held_by_blocking_forms,
    fires_no_deadline_early,
    fires_deadlines_in_time,
    ends_no_worker,
);

const HOUR: Duration = Duration::from_secs(3600);

/// Runs a test with a paused clock, with each kind of worker.
fn paused<F: Future<Output = ()>>(test: impl Fn(Case) -> F) {
    for workers in [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(test(Case::new(Executor::TokioCurrentThread, workers)));
    }
}

fn lets_calls_work() {
    paused(async |case| {
        let context = case.context();
        for n in 0..10 {
            assert_eq!(context.run_sync(|n: u32| n + 1, n).await.unwrap(), n + 1);
        }
        context.close().await.unwrap();
    });
}

/// As `spawn_blocking` does; and not for longer than the call takes.
fn holds_timeouts() {
    paused(async |case| {
        let context = case.context();
        for _ in 0..3 {
            let call = context.run_sync(|()| sleep(Duration::from_millis(20)), ());
            tokio::time::timeout(HOUR, call).await.expect("the clock is held").unwrap();
            tokio::time::sleep(24 * HOUR).await;
        }
        context.close().await.unwrap();
    });
    // A call that outlives its runtime does not keep that from ending.
    let context = offproc::WorkerContext::builder().open().unwrap();
    let mut call = context.run_sync(|()| sleep(Duration::from_millis(20)), ());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { assert!(futures::poll!(&mut call).is_pending()) });
    drop(runtime);
    futures::executor::block_on(call).unwrap();
    futures::executor::block_on(context.close()).unwrap();
}

/// The end of a service waits for its workers with a timeout as a rule.
fn holds_timeouts_around_a_close() {
    paused(async |case| {
        for close_within in [None, Some(HOUR)] {
            let context = case.context();
            context.run_sync(|n: u32| n + 1, 1).await.unwrap();
            let mut abandoned = context.run_sync(|()| sleep(Duration::from_millis(50)), ());
            assert!(futures::poll!(&mut abandoned).is_pending());
            drop(abandoned);
            let closed = match close_within {
                None => tokio::time::timeout(HOUR, context.close()).await,
                Some(within) => tokio::time::timeout(HOUR, context.close_within(within)).await,
            };
            closed.expect("the clock is held").unwrap();
            tokio::time::sleep(24 * HOUR).await;
        }
        let scope = offproc::cache_scope(case.builder(), async { offproc::run_sync(|n: u32| n + 1, 1).await.unwrap() });
        assert_eq!(tokio::time::timeout(HOUR, scope).await.expect("the clock is held").unwrap(), 2);
    });
}

/// What `docs/testing.md` advises for what does not hold the clock by itself.
fn is_held_by_blocking_forms() {
    paused(async |case| {
        let context = case.context();
        let closing = tokio::task::spawn_blocking(move || context.close().wait());
        tokio::time::timeout(HOUR, closing).await.expect("the clock is held").unwrap().unwrap();
        let limiter = Limiter::new(1);
        let (permit, waiting) = (limiter.acquire().await, limiter.clone());
        let giver = std::thread::spawn(move || {
            blocking_until(|| waiting.waiting() == 1, || "no call waits".to_owned());
            sleep(Duration::from_millis(50));
            drop(permit);
        });
        let token = tokio::task::spawn_blocking(move || limiter.acquire().wait());
        drop(tokio::time::timeout(HOUR, token).await.expect("the clock is held").unwrap());
        giver.join().unwrap();
    });
}

/// Each deadline is long for what is waited for, and short for a clock that runs ahead.
fn fires_no_deadline_early() {
    let slow = || sleep(Duration::from_millis(50));
    paused(async |case| {
        let builder = case.builder().init(slow).start_timeout(HOUR).grace_period(HOUR);
        let context = builder.retire(|| false).open().unwrap();
        let call = context.run_sync(|()| sleep(Duration::from_millis(50)), ());
        call.time_limit(HOUR).await.unwrap();
        let pid = context.run_sync(job::pid, ()).await.unwrap();
        tokio::time::sleep(HOUR).await;
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
        // An abandoned job has the grace period left.
        let scratch = Scratch::new();
        let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
        let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
        let mut call = context.run_sync(job::work, argument).limiter(&Limiter::new(1)).into_future();
        offproc_tests::waiting::drive_until(&mut call, arrivals.next()).await;
        drop(call);
        gate.admit_one();
        context.close().await.unwrap();
    });
}

fn fires_deadlines_in_time() {
    paused(async |case| {
        let context = case.context();
        let endless = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(Duration::from_millis(50));
        assert!(matches!(endless.await, Err(Error::TimedOut)));
        context.close().await.unwrap();
        let context = case.builder().init(|| job::spin()).start_timeout(Duration::from_millis(300)).open().unwrap();
        let late = context.run_sync(job::pid, ()).await.unwrap_err();
        assert!(matches!(&late, Error::Spawn(e) if e.kind() == std::io::ErrorKind::TimedOut), "{late:?}");
        context.close().await.unwrap();
    });
}

fn ends_no_worker() {
    paused(async |case| {
        let context = case.builder().idle_timeout(HOUR).retire_after_age(HOUR).open().unwrap();
        let pid = context.run_sync(job::pid, ()).await.unwrap();
        tokio::time::advance(24 * HOUR).await;
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
        context.close().await.unwrap();
    });
}
