//! `warm_up(n)`: workers that are started and initialised before the first call.

use futures::future::join_all;
use futures::{join, poll};
use offproc::{Error, Limiter, WorkerContext};
use offproc_tests::process::Family;
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, isolated, job, matrix};
use std::time::Duration;

matrix!(
    starts_and_initialises_them,
    counts_those_that_are_there,
    takes_no_tokens,
    starts_no_more_for_several_at_a_time,
    ends_with_the_error_of_a_start,
    ends_where_workers_leave_at_once,
    starts_nothing_before_its_first_poll,
    leaves_them_to_start_when_dropped,
    ends_with_its_context,
);

isolated!(blocks_without_a_runtime, starts_more_than_go_at_a_time);

/// `init` functions find their test in the working directory.
fn enter(scratch: &Scratch) {
    std::env::set_current_dir(scratch.folder()).unwrap();
}

async fn starts_and_initialises_them(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().init(|| append("trace", "init ")).open().unwrap();
    context.warm_up(3).await.unwrap();
    assert_eq!(trace("trace"), "init init init ");
    let workers = Family::now().workers();
    assert_eq!((workers.len(), context.statistics().idle_workers), (3, 3));
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let limiter = Limiter::new(3);
    let call = || context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), "work".to_owned())).limiter(&limiter);
    let mut calls = join_all((0..3).map(|_| call()));
    for _ in 0..3 {
        let pid = drive_until(&mut calls, arrivals.next()).await;
        assert!(workers.contains(&pid), "{pid} was there: {workers:?}");
    }
    (0..3).for_each(|_| gate.admit_one());
    calls.await.into_iter().for_each(|done| done.unwrap());
    assert_eq!(context.statistics().started, 3);
    context.close().await.unwrap();
}

async fn counts_those_that_are_there(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    context.warm_up(0).await.unwrap();
    assert_eq!(context.statistics().started, 0);
    // One has a job, one is idle, one is new.
    let mut call = context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), scratch.path("trace")));
    drive_until(&mut call, arrivals.next()).await;
    context.run_sync(job::pid, ()).limiter(&Limiter::new(1)).await.unwrap();
    for (wanted, started) in [(1, 2), (2, 2), (3, 3), (3, 3)] {
        context.warm_up(wanted).await.unwrap();
        assert_eq!(context.statistics().started, started);
    }
    gate.admit_one();
    call.await.unwrap();
    // One that has died is missing.
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    until("it is reaped", || Family::now().workers().len() == 2).await;
    context.warm_up(3).await.unwrap();
    assert_eq!((context.statistics().started, context.statistics().idle_workers), (4, 3));
    context.close().await.unwrap();
}

async fn takes_no_tokens(case: Case) {
    let limiter = Limiter::new(1);
    let context = case.builder().limiter(&limiter).open().unwrap();
    let permit = limiter.acquire().await;
    context.warm_up(2).await.unwrap();
    assert_eq!(context.statistics().idle_workers, 2);
    drop(permit);
    context.close().await.unwrap();
}

async fn starts_no_more_for_several_at_a_time(case: Case) {
    let context = case.context();
    let (few, many, more) = join!(context.warm_up(1), context.warm_up(4), context.warm_up(3));
    few.unwrap();
    many.unwrap();
    more.unwrap();
    let now = context.statistics();
    assert_eq!((now.started, now.idle_workers, now.starting_workers), (4, 4, 0));
    context.close().await.unwrap();
}

async fn ends_with_the_error_of_a_start(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let panics = || assert!(std::path::Path::new("fixed").exists(), "it is not fixed yet");
    let context = case.builder().init(panics).open().unwrap();
    let error = context.warm_up(2).await.unwrap_err();
    assert!(error.is_panic(), "{error}");
    append("fixed", "");
    context.warm_up(2).await.unwrap();
    until("the other start is over, too", || context.statistics().starting_workers == 0).await;
    assert!(context.statistics().failed_starts >= 1);
    context.close().await.unwrap();
}

async fn ends_where_workers_leave_at_once(case: Case) {
    let context = case.builder().idle_timeout(Duration::ZERO).open().unwrap();
    context.warm_up(2).await.unwrap();
    assert!(context.statistics().started >= 2);
    context.close().await.unwrap();
}

async fn starts_nothing_before_its_first_poll(case: Case) {
    let context = case.context();
    drop(context.warm_up(2));
    assert_eq!(context.statistics().starting_workers, 0);
    assert!(Family::now().is_empty());
    context.close().await.unwrap();
}

fn arrive_and_pass() {
    arrive("arrivals");
    assert!(pass("gate"), "the test waits");
}

async fn leaves_them_to_start_when_dropped(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.builder().init(arrive_and_pass).open().unwrap();
    let mut warm_up = context.warm_up(2);
    for _ in 0..2 {
        drive_until(&mut warm_up, arrivals.next()).await;
    }
    assert_eq!(context.statistics().starting_workers, 2);
    drop(warm_up);
    (0..2).for_each(|_| gate.admit_one());
    until("both are in the cache", || context.statistics().idle_workers == 2).await;
    assert_eq!(context.statistics().started, 2);
    context.close().await.unwrap();
}

async fn ends_with_its_context(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    for kill in [false, true] {
        let context = case.builder().init(arrive_and_pass).open().unwrap();
        let mut warm_up = context.warm_up(1);
        drive_until(&mut warm_up, arrivals.next()).await;
        if kill {
            context.kill();
        }
        let mut close = std::pin::pin!(context.close());
        assert!(poll!(close.as_mut()).is_pending() || kill);
        assert!(matches!(warm_up.await, Err(Error::Closed)));
        assert!(matches!(context.warm_up(1).await, Err(Error::Closed)));
        if !kill {
            // A worker that was being started leaves as soon as it has.
            gate.admit_one();
            close.await.unwrap();
        }
    }
    until("no worker is left", || Family::now().workers().is_empty()).await;
}

fn blocks_without_a_runtime() {
    let context = WorkerContext::builder().open().unwrap();
    context.warm_up(2).wait().unwrap();
    assert_eq!(context.statistics().idle_workers, 2);
    context.close().wait().unwrap();
}

fn starts_more_than_go_at_a_time() {
    let context = WorkerContext::builder().open().unwrap();
    context.warm_up(20).wait().unwrap();
    assert_eq!((context.statistics().idle_workers, context.statistics().started), (20, 20));
    context.close().wait().unwrap();
}
