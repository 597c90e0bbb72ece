//! Closing a context without waiting for its calls for ever: `close_within`, `kill` and `shutdown`.

use futures::future::{join, join3};
use futures::poll;
use offproc::{CloseWithin, Error, Limiter, WorkerContext, configure_default_context, run_sync, shutdown};
use offproc_tests::process::{Family, has_ended};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, Executor, isolated, job, matrix};
use std::time::{Duration, Instant};

matrix!(
    kills_what_runs_and_its_call_is_closed,
    waits_for_what_ends_in_time,
    kills_an_abandoned_job,
    goes_on_when_its_future_is_dropped,
    kill_ends_all_calls_wherever_they_are,
    kill_is_reported_by_close,
    a_call_that_is_not_polled_holds_up_nothing,
    calls_that_wait_for_a_token_are_closed_at_once,
);

isolated!(
    shutdown_closes_the_default_context,
    shutdown_of_what_was_never_used,
    a_replaced_default_context_closes_no_call_that_waits,
    futures_are_send_and_unpin,
);

/// Far from the defaults of 30 s and 600 s, and from no time at all.
const WITHIN: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(10);

async fn kills_what_runs_and_its_call_is_closed(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    for (within, grace) in [(WITHIN, Duration::MAX), (Duration::MAX, WITHIN)] {
        let context = case.builder().grace_period(grace).open().unwrap();
        let mut call = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket());
        let pid = drive_until(&mut call, arrivals.next()).await;
        let begun = Instant::now();
        let (call, closed) = join(call, context.close_within(within)).await;
        // The shorter of the two holds.
        assert!(begun.elapsed() >= WITHIN && begun.elapsed() < SOON, "{:?}", begun.elapsed());
        assert!(matches!(call, Err(Error::Closed)), "{call:?}");
        let reported = closed.unwrap_err();
        assert_eq!((reported.pid(), reported.count(), reported.killed()), (pid, 1, 1));
        assert!(reported.to_string().contains("killed by SIGKILL, sent by offproc, while it ran"), "{reported}");
        assert!(has_ended(pid) && Family::now().is_empty());
        assert!(matches!(context.run_sync(|()| (), ()).await, Err(Error::Closed)));
    }
}

async fn waits_for_what_ends_in_time(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.builder().grace_period(Duration::MAX).open().unwrap();
    let mut call = context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone()));
    drive_until(&mut call, arrivals.next()).await;
    let mut closing = context.close_within(Duration::MAX);
    assert!(poll!(&mut closing).is_pending());
    assert!(context.is_closed());
    gate.admit_one();
    let (call, _closed) = join(call, closing).await;
    call.unwrap();
    assert_eq!(trace(&path), "done\n");
}

async fn kills_an_abandoned_job(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    for (within, grace) in [(WITHIN, Duration::MAX), (Duration::MAX, WITHIN)] {
        let context = case.builder().grace_period(grace).open().unwrap();
        let mut call = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket());
        let pid = drive_until(&mut call, arrivals.next()).await;
        drop(call);
        assert_eq!(context.statistics().abandoned_jobs, 1);
        let begun = Instant::now();
        let reported = context.close_within(within).await.unwrap_err();
        assert!(begun.elapsed() < SOON, "the shorter of the two holds");
        assert_eq!((reported.pid(), reported.count()), (pid, 1));
        assert_eq!(context.statistics().abandoned_jobs, 0);
    }
}

async fn goes_on_when_its_future_is_dropped(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let mut call = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket());
    let pid = drive_until(&mut call, arrivals.next()).await;
    let mut closing = context.close_within(WITHIN);
    assert!(poll!(&mut closing).is_pending());
    drop(closing);
    assert!(matches!(call.await, Err(Error::Closed)));
    let reported = context.close().await.unwrap_err();
    assert_eq!((reported.pid(), reported.killed()), (pid, 1));
}

async fn kill_ends_all_calls_wherever_they_are(case: Case) {
    let (scratch, one) = (Scratch::new(), Limiter::new(1));
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let starts_for_ever: fn() = || job::sleep();
    let context = case.context();
    let starting = case.builder().init(starts_for_ever).open().unwrap();
    let mut running = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket()).limiter(&one);
    drive_until(&mut running, arrivals.next()).await;
    let mut waiting = context.run_sync(|()| (), ()).limiter(&one);
    assert!(poll!(&mut waiting).is_pending());
    assert_eq!((context.statistics().waiting_calls, one.waiting()), (1, 1));
    let mut queued = starting.run_sync(|()| (), ());
    assert!(poll!(&mut queued).is_pending());
    until("the start is under way", || starting.statistics().starting_workers == 1).await;
    context.kill();
    starting.kill();
    assert!(context.is_closed() && starting.is_closed());
    let (running, waiting, queued) = join3(running, waiting, queued).await;
    assert!(matches!(running, Err(Error::Closed)), "{running:?}");
    assert!(matches!(waiting, Err(Error::Closed)), "{waiting:?}");
    assert!(matches!(queued, Err(Error::Closed)), "{queued:?}");
    assert_eq!((context.statistics().waiting_calls, one.waiting(), one.borrowed_tokens()), (0, 0, 0));
    assert_eq!(context.close().await.unwrap_err().killed(), 1);
    let _ = starting.close().await;
    until("no process is left", || Family::now().is_empty()).await;
}

async fn kill_is_reported_by_close(case: Case) {
    let context = case.context();
    // One idle, one that has crashed by itself: only the former was killed by offproc.
    let two = Limiter::new(2);
    let crash = context.run_sync(job::end_at_once, 3).limiter(&two).await;
    assert!(matches!(crash, Err(Error::BrokenWorker(_))));
    let pid = context.run_sync(job::pid, ()).limiter(&two).await.unwrap();
    context.kill();
    let reported = context.close().await.unwrap_err();
    assert_eq!((reported.pid(), reported.count(), reported.killed()), (pid, 1, 1));
    context.close().await.unwrap();
    context.kill();
    context.close().await.unwrap();
    assert!(Family::now().is_empty());
}

async fn a_call_that_is_not_polled_holds_up_nothing(case: Case) {
    let starts_for_ever: fn() = || job::sleep();
    let context = case.builder().init(starts_for_ever).open().unwrap();
    let mut call = context.run_sync(|()| (), ());
    assert!(poll!(&mut call).is_pending());
    let begun = Instant::now();
    let _ = context.close_within(WITHIN).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(matches!(call.await, Err(Error::Closed)));
    until("no process is left", || Family::now().is_empty()).await;
}

async fn calls_that_wait_for_a_token_are_closed_at_once(case: Case) {
    let (context, limiter) = (case.context(), Limiter::new(1));
    let permit = limiter.acquire().await;
    let mut call = context.run_sync(|()| (), ()).limiter(&limiter);
    assert!(poll!(&mut call).is_pending());
    context.close().await.unwrap();
    // The token is not given back.
    assert!(matches!(call.await, Err(Error::Closed)));
    let later = context.run_sync(|()| (), ()).limiter(&limiter).await;
    assert!(matches!(later, Err(Error::Closed)));
    assert_eq!((limiter.waiting(), limiter.borrowed_tokens()), (0, 1));
    drop(permit);
}

fn shutdown_closes_the_default_context() {
    Executor::TokioCurrentThread.block_on(async {
        let pid = run_sync(job::pid, ()).await.unwrap();
        let mut endless = run_sync(|()| -> () { job::spin() }, ());
        assert!(poll!(&mut endless).is_pending());
        let (endless, reported) = join(endless, shutdown(WITHIN)).await;
        assert!(matches!(endless, Err(Error::Closed)), "{endless:?}");
        assert_eq!(reported.unwrap_err().killed(), 1);
        assert!(has_ended(pid) && Family::now().is_empty());
        assert!(matches!(run_sync(job::pid, ()).await, Err(Error::Closed)));
        // Contexts of the program's own go on.
        let context = WorkerContext::builder().open().unwrap();
        assert_eq!(context.run_sync(|n: u8| n, 1).await.unwrap(), 1);
        context.close().await.unwrap();
        shutdown(WITHIN).await.unwrap();
        assert!(matches!(run_sync(job::pid, ()).await, Err(Error::Closed)));
        // A new one has to be asked for.
        configure_default_context(WorkerContext::builder().env("WHICH", "new")).unwrap();
        assert_eq!(run_sync(which, ()).await.unwrap().as_deref(), Some("new"));
    });
}

fn which(_: ()) -> Option<String> {
    std::env::var("WHICH").ok()
}

fn shutdown_of_what_was_never_used() {
    shutdown(Duration::MAX).wait().unwrap();
    assert!(matches!(run_sync(job::pid, ()).wait(), Err(Error::Closed)));
}

fn a_replaced_default_context_closes_no_call_that_waits() {
    Executor::FuturesBlockOn.block_on(async {
        let limiter = Limiter::new(1);
        let permit = limiter.acquire().await;
        let mut call = run_sync(which, ()).limiter(&limiter);
        let mut behind = Box::pin(limiter.acquire());
        assert!(poll!(&mut call).is_pending() && poll!(&mut behind).is_pending());
        configure_default_context(WorkerContext::builder().env("WHICH", "new")).unwrap();
        assert!(poll!(&mut call).is_pending());
        assert_eq!(offproc::default_context_statistics().waiting_calls, 1);
        drop(permit);
        assert!(poll!(&mut behind).is_pending(), "the call has kept its place");
        assert_eq!(call.await.unwrap().as_deref(), Some("new"));
        drop(behind.await);
    });
}

fn futures_are_send_and_unpin() {
    fn check<T: Send + Unpin + 'static>(_: &T) {}
    let context = WorkerContext::builder().open().unwrap();
    check(&context.close());
    let within: CloseWithin = context.close_within(WITHIN);
    check(&within);
    check(&shutdown(WITHIN));
}
