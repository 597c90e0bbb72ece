//! A timed call reports separately how long it waited, how long its worker took to start, and how long its job ran.

use offproc::{Error, Limiter};
use offproc_tests::{Case, job, matrix};
use std::thread::sleep;
use std::time::{Duration, Instant};

matrix!(
    counts_the_start_of_a_worker,
    counts_the_wait_for_a_token,
    counts_the_run_of_the_job,
    are_there_for_a_start_that_failed,
    counts_a_pause_between_failing_starts_as_waiting,
    adds_up,
);

const WHILE: Duration = Duration::from_millis(100);

async fn counts_the_start_of_a_worker(case: Case) {
    let context = case.builder().init(|| sleep(WHILE)).open().unwrap();
    let (cold, times) = context.run_sync(|n: u8| n, 1).timed().await;
    assert_eq!(cold.unwrap(), 1);
    assert!(times.starting >= WHILE, "{times:?}");
    let (warm, times) = context.run_sync(|n: u8| n, 2).timed().await;
    assert_eq!(warm.unwrap(), 2);
    assert_eq!(times.starting, Duration::ZERO);
    context.close().await.unwrap();
}

async fn counts_the_wait_for_a_token(case: Case) {
    let context = case.context();
    context.run_sync(job::pid, ()).await.unwrap();
    let limiter = Limiter::new(1);
    let permit = limiter.acquire().await;
    let mut call = context.run_sync(job::pid, ()).limiter(&limiter).timed();
    assert!(futures::poll!(&mut call).is_pending());
    sleep(WHILE);
    drop(permit);
    let (result, times) = call.await;
    result.unwrap();
    assert!(times.queued >= WHILE, "{times:?}");
    assert_eq!(times.starting, Duration::ZERO);
    context.close().await.unwrap();
}

async fn counts_the_run_of_the_job(case: Case) {
    let context = case.context();
    let (result, times) = context.run_sync(sleep, WHILE).timed().await;
    result.unwrap();
    assert!(times.running >= WHILE, "{times:?}");
    let (result, times) = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(WHILE).timed().await;
    assert!(matches!(result, Err(Error::TimedOut)));
    assert!(times.running >= WHILE, "{times:?}");
    context.close().await.unwrap();
}

async fn are_there_for_a_start_that_failed(case: Case) {
    let fails = || {
        sleep(WHILE);
        panic!("not today");
    };
    let context = case.builder().init(fails).open().unwrap();
    let (result, times) = context.run_sync(job::pid, ()).timed().await;
    assert!(matches!(result, Err(Error::Panicked(_))));
    assert!(times.starting >= WHILE, "{times:?}");
    assert_eq!(times.running, Duration::ZERO);
    context.close().await.unwrap();
}

async fn counts_a_pause_between_failing_starts_as_waiting(case: Case) {
    let context = case.builder().init(|| job::end_at_once(1)).open().unwrap();
    let mut last = Instant::now();
    for _ in 0..5 {
        last = Instant::now();
        context.run_sync(job::pid, ()).await.unwrap_err();
    }
    let mut call = context.run_sync(job::pid, ()).timed();
    assert!(futures::poll!(&mut call).is_pending());
    let asked = last.elapsed();
    let (result, times) = call.await;
    result.unwrap_err();
    // A pause of 80 ms, the fourth of those that double from 10 ms on, began after `last`.
    assert!(asked + times.queued >= Duration::from_millis(80), "{asked:?} {times:?}");
    assert_eq!(times.running, Duration::ZERO);
    context.close().await.unwrap();
}

async fn adds_up(case: Case) {
    let context = case.builder().init(|| sleep(WHILE)).open().unwrap();
    let limiter = Limiter::new(1);
    for _ in 0..2 {
        let calls = [(); 2].map(|()| {
            let mut call = context.run_sync(sleep, WHILE).limiter(&limiter).timed();
            async move {
                let start = Instant::now();
                assert!(futures::poll!(&mut call).is_pending());
                let polled = Instant::now();
                let (result, times) = call.await;
                result.unwrap();
                let total = times.queued + times.starting + times.running;
                assert_eq!(times.total(), total);
                assert!(total <= start.elapsed(), "{times:?}");
                (start, polled, times)
            }
        });
        let [(start, _, first), (_, polled, second)] =
            <[_; 2]>::try_from(futures::future::join_all(calls).await).unwrap();
        assert!(polled + second.queued >= start + first.total(), "it waited for the other: {first:?} {second:?}");
    }
    context.close().await.unwrap();
}
