//! `kill_on_cancel(true)`: dropping a call kills its job, at any point of the call.

use futures::poll;
use offproc::Limiter;
use offproc_tests::process::{Family, is_reaped, must_end};
use offproc_tests::rendezvous::{Arrivals, arrive};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::{blocking_until, drive_until, until};
use offproc_tests::{Case, job, matrix};
use std::pin::pin;

matrix!(
    kills_a_running_job,
    kills_a_job_that_blocks_all_signals,
    kills_a_job_that_has_threads,
    does_not_run_a_call_dropped_before_its_first_poll,
    does_not_run_a_call_dropped_while_it_waits_for_a_token,
    ends_the_worker_that_was_being_started,
    kills_while_the_argument_is_on_its_way,
    spares_the_worker_of_a_finished_call,
    is_reaped_in_the_background,
);
async fn kills_a_running_job(case: Case) {
    kills(case, job::arrive_and_spin).await;
}

async fn kills_a_job_that_blocks_all_signals(case: Case) {
    kills(case, job::arrive_and_spin_deaf).await;
}

async fn kills_a_job_that_has_threads(case: Case) {
    kills(case, |ticket: String| {
        std::thread::spawn(|| job::spin());
        job::arrive_and_spin(ticket);
    })
    .await;
}

async fn kills(case: Case, endless: fn(String)) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let limiter = Limiter::new(1);
    let mut call = context.run_sync(endless, arrivals.ticket()).limiter(&limiter).kill_on_cancel(true).into_future();
    let pid = drive_until(&mut call, arrivals.next()).await;
    assert_eq!(context.statistics().running_workers, 1);
    drop(call);
    // Nothing is polled from here on: the signal has been sent.
    must_end(pid);
    // The token is back, and a new worker takes the next call.
    assert_ne!(context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap(), pid);
    context.close().await.unwrap();
}

async fn is_reaped_in_the_background(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let mut call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true).into_future();
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    // The thread is blocked, so no task of this test can do anything for it.
    blocking_until(|| is_reaped(pid), || format!("worker {pid} was not reaped"));
    assert_eq!(context.statistics().running_workers, 0);
    context.close().await.unwrap();
}

async fn does_not_run_a_call_dropped_before_its_first_poll(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    let call = context.run_sync(|path: String| append(&path, "ran"), path.clone()).kill_on_cancel(true);
    drop(call.into_future());
    assert!(Family::now().is_empty());
    context.close().await.unwrap();
    assert_eq!(trace(&path), "");
}

async fn does_not_run_a_call_dropped_while_it_waits_for_a_token(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    let limiter = Limiter::new(1);
    let permit = limiter.acquire().await;
    for kill in [true, false] {
        let run = |path: String| append(&path, "ran");
        let mut call = context.run_sync(run, path.clone()).limiter(&limiter).kill_on_cancel(kill).into_future();
        assert!(poll!(&mut call).is_pending());
        let behind = context.run_sync(job::pid, ()).limiter(&limiter).into_future();
        let mut behind = pin!(behind);
        assert!(poll!(behind.as_mut()).is_pending());
        drop(call);
        if !kill {
            drop(permit);
            // The one behind it in the queue moves up.
            behind.await.unwrap();
            break;
        }
    }
    assert_eq!(limiter.borrowed_tokens(), 0);
    context.close().await.unwrap();
    assert_eq!(trace(&path), "");
}

/// An `init` function that does not end; it finds its test in the working directory.
fn arrive_and_wait() {
    arrive("arrivals");
    job::spin();
}

async fn ends_the_worker_that_was_being_started(case: Case) {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().init(arrive_and_wait).open().unwrap();
    let limiter = Limiter::new(1);
    // Dropped before it has a worker, a call never runs, whether it is to be killed or not.
    for kill in [true, false] {
        let mut call = context.run_sync(|()| (), ()).limiter(&limiter).kill_on_cancel(kill).into_future();
        let pid = drive_until(&mut call, arrivals.next()).await;
        assert_eq!(context.statistics().starting_workers, 1);
        drop(call);
        must_end(pid);
        until("the worker is reaped", || is_reaped(pid)).await;
        assert_eq!(limiter.borrowed_tokens(), 0);
        assert_eq!(context.statistics().starting_workers, 0);
    }
    // And at any point before: while the thread that starts it is at work.
    for polls in 1..4 {
        let mut call = context.run_sync(|()| (), ()).limiter(&limiter).kill_on_cancel(true).into_future();
        for _ in 0..polls {
            assert!(poll!(&mut call).is_pending());
        }
        drop(call);
    }
    context.close().await.unwrap();
}

async fn kills_while_the_argument_is_on_its_way(case: Case) {
    let context = case.context();
    context.run_sync(job::pid, ()).await.unwrap();
    let mut call = context.run_sync(|text: String| text.len(), "x".repeat(32 << 20)).kill_on_cancel(true).into_future();
    assert!(poll!(&mut call).is_pending());
    drop(call);
    assert_eq!(context.run_sync(|n: u8| n, 1).await.unwrap(), 1);
    context.close().await.unwrap();
}

async fn spares_the_worker_of_a_finished_call(case: Case) {
    let context = case.context();
    let mut call = context.run_sync(job::pid, ()).kill_on_cancel(true).into_future();
    let pid = (&mut call).await.unwrap();
    drop(call);
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    context.close().await.unwrap();
}
