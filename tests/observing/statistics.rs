//! The totals of a context: each call is counted before it resolves or its drop returns, each worker once its end is
//! known, and in the end all adds up.

use futures::future::join_all;
use futures::poll;
use offproc::{Error, Limiter, Statistics, WorkerContext};
use offproc_tests::process::{Family, kill};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::untransferable::{Panics, Refuses};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, job, matrix};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

matrix!(
    count_each_outcome_before_it_is_there,
    count_cancelled_calls_wherever_they_are,
    count_calls_that_end_in_a_panic_of_their_callers_code,
    count_workers_that_leave,
    count_workers_that_die,
    count_workers_that_are_killed,
    count_starts_that_fail,
    are_consistent_whenever_they_are_read,
    add_up_after_a_storm,
);

/// Calls: over, panicked, timed out.
fn calls(context: &WorkerContext) -> [u64; 3] {
    let now = context.statistics();
    [now.calls, now.panicked, now.timed_out]
}

/// Workers: started, retired, crashed, killed.
fn workers(context: &WorkerContext) -> [u64; 4] {
    let now = context.statistics();
    [now.started, now.retired, now.crashed, now.killed]
}

fn adds_up(now: Statistics) -> bool {
    now.started == now.retired + now.crashed + now.killed
}

async fn count_each_outcome_before_it_is_there(case: Case) {
    let context = case.context();
    assert_eq!(calls(&context), [0, 0, 0]);
    context.run_sync(|n: u8| n, 1).await.unwrap();
    assert_eq!(calls(&context), [1, 0, 0]);
    let panicked = context.run_sync(|()| -> () { panic!("as it is to") }, ()).await;
    assert!(matches!(panicked, Err(Error::Panicked(_))));
    assert_eq!(calls(&context), [2, 1, 0]);
    let refused = context.run_sync(|_: Refuses| (), Refuses { to_go: true }).await;
    assert!(matches!(refused, Err(Error::Encode(_))));
    assert_eq!(calls(&context), [3, 1, 0]);
    let refused = context.run_sync(|()| Refuses { to_go: true }, ()).await;
    assert!(matches!(refused, Err(Error::Encode(_))));
    assert_eq!(calls(&context), [4, 1, 0]);
    let refused = context.run_sync(|_: Refuses| (), Refuses { to_go: false }).await;
    assert!(matches!(refused, Err(Error::Decode(_))));
    assert_eq!(calls(&context), [5, 1, 0]);
    let refused = context.run_sync(|()| Refuses { to_go: false }, ()).await;
    assert!(matches!(refused, Err(Error::Decode(_))));
    assert_eq!(calls(&context), [6, 1, 0]);
    let late = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(Error::TimedOut)));
    assert_eq!(calls(&context), [7, 1, 1]);
    let late = context.run_sync(|()| -> () { job::spin() }, ()).cpu_limit(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(Error::CpuTimeExceeded { .. })));
    assert_eq!(calls(&context), [8, 1, 1], "a limit of CPU time is no time-out");
    let dead = context.run_sync(job::end_at_once, 1).await;
    assert!(matches!(dead, Err(Error::BrokenWorker(_))));
    assert_eq!(calls(&context), [9, 1, 1]);
    context.close().await.unwrap();
    let closed = context.run_sync(|n: u8| n, 1).await;
    assert!(matches!(closed, Err(Error::Closed)));
    assert_eq!(calls(&context), [10, 1, 1]);
}

async fn count_cancelled_calls_wherever_they_are(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let (context, one) = (case.builder().grace_period(Duration::ZERO).open().unwrap(), Limiter::new(1));
    // Never polled.
    drop(context.run_sync(|n: u8| n, 1));
    assert_eq!(context.statistics().calls, 0);
    // Where its worker starts.
    let mut starts = context.run_sync(|n: u8| n, 1);
    assert!(poll!(&mut starts).is_pending());
    drop(starts);
    assert_eq!(context.statistics().calls, 1);
    // Where it runs: killed, and abandoned.
    for kill in [true, false] {
        let mut runs = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(kill).limiter(&one);
        drive_until(&mut runs, arrivals.next()).await;
        let before = context.statistics().calls;
        drop(runs);
        assert_eq!(context.statistics().calls, before + 1);
    }
    // Where it waits for a token, which the abandoned job has.
    let mut waits = context.run_sync(|n: u8| n, 1).limiter(&one);
    assert!(poll!(&mut waits).is_pending());
    drop(waits);
    assert_eq!(context.statistics().calls, 4);
    // Where it has a result: that is no second end.
    let mut done = context.run_sync(|n: u8| n, 1);
    (&mut done).await.unwrap();
    drop(done);
    assert_eq!(context.statistics().calls, 5);
    context.close().await.unwrap_err();
    assert!(adds_up(context.statistics()), "{:?}", context.statistics());
}

async fn count_calls_that_end_in_a_panic_of_their_callers_code(case: Case) {
    let context = case.context();
    context.run_sync(|n: u8| n, 1).await.unwrap();
    let mut call = Box::pin(context.run_sync(|_: Panics| (), Panics));
    let has_panicked = {
        let mut cx = Context::from_waker(Waker::noop());
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut cx).is_ready())).is_err()
    };
    assert!(has_panicked);
    drop(call);
    assert_eq!(calls(&context), [2, 0, 0]);
    context.close().await.unwrap();
}

async fn count_workers_that_leave(case: Case) {
    // After the idle timeout.
    let context = case.builder().idle_timeout(Duration::ZERO).open().unwrap();
    context.run_sync(|n: u8| n, 1).await.unwrap();
    until("it has left", || workers(&context) == [1, 1, 0, 0]).await;
    context.close().await.unwrap();
    assert_eq!(workers(&context), [1, 1, 0, 0]);
    // For a policy.
    let context = case.builder().retire_after_jobs(1..=1).open().unwrap();
    for _ in 0..3 {
        context.run_sync(|n: u8| n, 1).await.unwrap();
    }
    until("all have left", || workers(&context) == [3, 3, 0, 0]).await;
    context.close().await.unwrap();
    assert_eq!(workers(&context), [3, 3, 0, 0]);
    // With their context.
    let context = case.context();
    context.run_sync(|n: u8| n, 1).await.unwrap();
    assert_eq!(workers(&context), [1, 0, 0, 0]);
    context.close().await.unwrap();
    assert_eq!(workers(&context), [1, 1, 0, 0]);
}

async fn count_workers_that_die(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    // Of a job: before the call is over.
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    assert_eq!(workers(&context), [1, 0, 1, 0]);
    // Also by an exit that looks like a leave.
    context.run_sync(job::end_at_once, 0).await.unwrap_err();
    assert_eq!(workers(&context), [2, 0, 2, 0]);
    // Without a job.
    let idle = context.run_sync(job::pid, ()).await.unwrap();
    kill(idle);
    until("its death is seen", || workers(&context) == [3, 0, 3, 0]).await;
    // With an abandoned job.
    let mut abandoned = context.run_sync(job::arrive_and_spin, arrivals.ticket());
    let pid = drive_until(&mut abandoned, arrivals.next()).await;
    drop(abandoned);
    kill(pid);
    until("its death is seen", || workers(&context) == [4, 0, 4, 0]).await;
    // With a job whose call is not polled any more: it counts with the call.
    let mut kept = context.run_sync(job::arrive_and_spin, arrivals.ticket());
    let pid = drive_until(&mut kept, arrivals.next()).await;
    kill(pid);
    until("it is reaped", || !Family::now().pids().contains(&pid)).await;
    drop(kept);
    context.close().await.unwrap_err();
    assert_eq!(workers(&context), [5, 0, 5, 0]);
}

async fn count_workers_that_are_killed(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().grace_period(Duration::ZERO).open().unwrap();
    // With a call that is dropped.
    let mut dropped = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true);
    drive_until(&mut dropped, arrivals.next()).await;
    drop(dropped);
    until("it is reaped", || workers(&context) == [1, 0, 0, 1]).await;
    // Past a limit.
    context.run_sync(|()| -> () { job::spin() }, ()).time_limit(Duration::from_millis(1)).await.unwrap_err();
    until("it is reaped", || workers(&context) == [2, 0, 0, 2]).await;
    // Past the grace period, an abandoned one; and with the context.
    let mut abandoned = context.run_sync(job::arrive_and_spin, arrivals.ticket());
    drive_until(&mut abandoned, arrivals.next()).await;
    drop(abandoned);
    context.close().await.unwrap_err();
    assert_eq!(workers(&context), [3, 0, 0, 3]);
    let context = case.context();
    let mut runs = context.run_sync(job::arrive_and_spin, arrivals.ticket());
    drive_until(&mut runs, arrivals.next()).await;
    context.kill();
    assert!(matches!(runs.await, Err(Error::Closed)));
    assert_eq!(context.close().await.unwrap_err().killed(), 1);
    assert_eq!(workers(&context), [1, 0, 0, 1]);
    let context = case.context();
    let mut runs = context.run_sync(job::arrive_and_spin, arrivals.ticket());
    drive_until(&mut runs, arrivals.next()).await;
    let (ended, closed) = futures::join!(runs, context.close_within(Duration::ZERO));
    assert!(matches!(ended, Err(Error::Closed)));
    assert_eq!(closed.unwrap_err().killed(), 1);
    assert_eq!(workers(&context), [1, 0, 0, 1]);
}

async fn count_starts_that_fail(case: Case) {
    let context = case.builder().init(|| panic!("not today")).open().unwrap();
    for count in 1..=2 {
        assert!(matches!(context.run_sync(|n: u8| n, 1).await, Err(Error::Panicked(_))));
        let now = context.statistics();
        assert_eq!((now.calls, now.panicked, now.failed_starts, now.started), (count, count, count, 0));
    }
    context.close().await.unwrap();
    assert!(adds_up(context.statistics()));
}

/// Read ten thousand times beside calls that succeed, panic, run out of time and crash, each at least once.
async fn are_consistent_whenever_they_are_read(case: Case) {
    let context = case.context();
    let has_been_read = AtomicBool::new(false);
    let calls = || {
        for what in [3, 0, 1, 2].into_iter().cycle() {
            // Only the job that spins is to run out of time.
            let limit = if what == 2 { Duration::from_millis(1) } else { Duration::MAX };
            let _ = context.run_sync(do_as_told, what).time_limit(limit).wait();
            if what == 2 && has_been_read.load(Ordering::Relaxed) {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(calls);
        let mut before = context.statistics();
        let odd = (0..10_000).find_map(|_| {
            let now = context.statistics();
            let has_all = now.panicked + now.timed_out + now.overloaded <= now.calls
                && now.retired + now.crashed + now.killed <= now.started
                && now.calls >= before.calls
                && now.started >= before.started;
            before = now;
            (!has_all).then_some(now)
        });
        has_been_read.store(true, Ordering::Relaxed);
        assert_eq!(odd, None);
    });
    context.close().await.unwrap();
    let now = context.statistics();
    assert!(adds_up(now) && now.panicked > 0 && now.timed_out > 0 && now.crashed > 0, "{now:?}");
}

/// What a job of the storm does.
fn do_as_told(what: u8) {
    match what {
        0 => panic!("as it is to"),
        1 => job::end_at_once(3),
        2 => job::spin(),
        _ => {}
    }
}

async fn add_up_after_a_storm(case: Case) {
    const CALLS: u64 = 300;
    let context = case.builder().retire_after_jobs(5..=9).grace_period(Duration::from_millis(50)).open().unwrap();
    let limiter = Limiter::new(3);
    let ends = (0..CALLS).map(|number| {
        let (context, limiter) = (context.clone(), limiter.clone());
        async move {
            let mut random = fastrand::Rng::with_seed(number);
            let call = context.run_sync(do_as_told, random.u8(..12)).limiter(&limiter).kill_on_cancel(random.bool());
            let mut call = call.time_limit(Duration::from_millis(random.u64(1..20)));
            if random.u8(..3) > 0 {
                return Some(call.await);
            }
            // Dropped after some polls, wherever it is by then.
            for _ in 0..random.u32(1..40) {
                if let Poll::Ready(ended) = poll!(&mut call) {
                    return Some(ended);
                }
                smol::future::yield_now().await;
            }
            None
        }
    });
    let ends = join_all(ends).await;
    let now = context.statistics();
    let panicked = ends.iter().flatten().filter(|end| matches!(end, Err(Error::Panicked(_)))).count();
    let late = ends.iter().flatten().filter(|end| matches!(end, Err(Error::TimedOut))).count();
    assert_eq!([now.calls, now.panicked, now.timed_out], [CALLS, panicked as u64, late as u64], "{now:?}");
    let _ = context.close().await;
    let now = context.statistics();
    let crashed = ends.iter().flatten().filter(|end| matches!(end, Err(Error::BrokenWorker(_)))).count() as u64;
    assert!(adds_up(now) && now.started > 0 && now.crashed >= crashed, "{now:?}");
    assert_eq!((now.idle_workers, now.running_workers, now.starting_workers, now.abandoned_jobs), (0, 0, 0, 0));
}
