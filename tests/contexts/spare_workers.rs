//! Spare workers are started ahead of need: a call finds one, and the next is on its way.

use futures::future::join_all;
use offproc::runtimes::Tokio;
use offproc::{Error, Limiter, WorkerContext};
use offproc_tests::process::Family;
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, Executor, isolated, job, matrix};
use std::collections::HashSet;

matrix!(
    are_there_before_they_are_needed,
    are_made_up_again,
    take_the_place_of_retired_ones,
    that_cannot_start_harm_no_call
);

isolated!(come_where_the_runtime_is_the_current_one);

/// They are started where no runtime is current.
fn come_where_the_runtime_is_the_current_one() {
    Executor::TokioCurrentThread.block_on(async {
        let context = WorkerContext::builder().runtime(Tokio::CURRENT).spare_workers(1).open().unwrap();
        context.run_sync(job::pid, ()).await.unwrap();
        until("a spare beside the one that was called", || idle(&context) == 2).await;
        context.close().await.unwrap();
    });
}

fn idle(context: &WorkerContext) -> usize {
    context.statistics().idle_workers
}

async fn are_there_before_they_are_needed(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.builder().spare_workers(2).open().unwrap();
    assert!(Family::now().is_empty(), "they come with the first call");
    let four = Limiter::new(4);
    let call = || {
        let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
        context.run_sync(job::work, argument).limiter(&four).into_future()
    };
    let mut calls = vec![call()];
    drive_until(&mut calls[0], arrivals.next()).await;
    for busy in 2..=3 {
        until("two are idle", || idle(&context) == 2).await;
        let ahead = Family::now().workers();
        let mut next = call();
        let pid = drive_until(&mut next, arrivals.next()).await;
        assert!(ahead.contains(&pid), "{pid} was there: {ahead:?}");
        calls.push(next);
        assert_eq!(context.statistics().running_workers, busy);
    }
    (0..3).for_each(|_| gate.admit_one());
    for done in join_all(calls).await {
        done.unwrap();
    }
    context.close().await.unwrap();
}

async fn are_made_up_again(case: Case) {
    let context = case.builder().spare_workers(2).open().unwrap();
    context.run_sync(|()| (), ()).await.unwrap();
    for _ in 0..3 {
        until("two are idle", || idle(&context) >= 2).await;
        // One of them dies at it; the next call makes up for it.
        context.run_sync(job::end_at_once, 1).await.unwrap_err();
        context.run_sync(|()| (), ()).await.unwrap();
    }
    until("two are idle", || idle(&context) >= 2).await;
    context.close().await.unwrap();
}

async fn take_the_place_of_retired_ones(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.builder().spare_workers(1).retire_after_jobs(1..=1).open().unwrap();
    let (mut spare, mut seen) = (None, HashSet::new());
    for _ in 0..5 {
        let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
        let mut call = context.run_sync(job::work, argument).into_future();
        let pid = drive_until(&mut call, arrivals.next()).await;
        assert!(spare.is_none_or(|spare| spare == pid), "{pid} in place of {spare:?}");
        seen.insert(pid);
        // The one before may be on its way out still; this one is busy.
        until("there is a spare one", || {
            spare = Family::now().workers().into_iter().find(|other| !seen.contains(other));
            idle(&context) == 1 && spare.is_some()
        })
        .await;
        gate.admit_one();
        call.await.unwrap();
    }
    context.close().await.unwrap();
}

fn only_the_first() {
    append("trace", "x");
    assert_eq!(trace("trace"), "x", "there is to be one worker");
}

async fn that_cannot_start_harm_no_call(case: Case) {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    let context = case.builder().spare_workers(1).init(only_the_first).open().unwrap();
    let one = Limiter::new(1);
    // Whether the worker of this call is the first or the spare one is open; one of them cannot start.
    let first = context.run_sync(job::pid, ()).limiter(&one).await;
    match &first {
        Ok(_) => {}
        Err(Error::Panicked(panic)) => assert!(panic.message().contains("one worker"), "{panic:?}"),
        other => panic!("{other:?}"),
    }
    until("the other start has failed", || context.statistics().starting_workers == 0).await;
    context.close().await.unwrap();
}
