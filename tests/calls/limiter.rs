//! A limiter bounds how many jobs run at once, and can be changed meanwhile.

use futures::future::{FutureExt, join_all};
use futures::poll;
use offproc::Limiter;
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, job, matrix};

matrix!(bounds_the_jobs_that_run_and_can_be_raised, is_first_come_first_served);

async fn bounds_the_jobs_that_run_and_can_be_raised(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let limiter = Limiter::new(2);
    let calls = (0..6).map(|_| {
        let arguments = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
        let call = context.run_sync(job::work, arguments).limiter(&limiter);
        async move { call.await.unwrap() }
    });
    let mut calls = Box::pin(join_all(calls));
    for _ in 0..2 {
        drive_until(&mut calls, arrivals.next()).await;
    }
    assert_eq!((limiter.borrowed_tokens(), context.statistics().running_workers), (2, 2));
    assert_eq!(context.statistics().starting_workers, 0);
    limiter.set_total_tokens(4);
    for _ in 0..2 {
        drive_until(&mut calls, arrivals.next()).await;
    }
    assert_eq!((limiter.borrowed_tokens(), context.statistics().running_workers), (4, 4));
    assert_eq!(arrivals.try_next(), None);
    for _ in 0..6 {
        gate.admit_one();
    }
    calls.await;
    assert_eq!((limiter.borrowed_tokens(), limiter.available_tokens()), (0, 4));
    context.close().await.unwrap();
}

async fn is_first_come_first_served(case: Case) {
    let context = case.context();
    let limiter = Limiter::new(1);
    let permit = limiter.acquire().await;
    let trace = Scratch::new().path("unused");
    let mut first = context.run_sync(|_: String| 1, trace.clone()).limiter(&limiter).into_future();
    let mut second = context.run_sync(|_: String| 2, trace).limiter(&limiter).into_future();
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    drop(permit);
    let mut second = second.fuse();
    assert_eq!(futures::select_biased! { two = second => two.unwrap(), one = first.fuse() => one.unwrap() }, 1);
    assert_eq!(second.await.unwrap(), 2);
    context.close().await.unwrap();
}
