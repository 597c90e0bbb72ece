//! Past a soft limit `should_stop()` returns true in the job, and nothing else happens to it.

use offproc::{Error, Limiter, WorkerContext, WorkerType, should_stop};
use offproc_tests::{Case, job, matrix};
use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

matrix!(
    is_true_past_the_time_limit,
    is_true_past_the_cpu_limit,
    is_true_past_the_memory_limit,
    stays_true,
    is_false_without_a_limit,
    is_false_in_the_job_after,
    kills_nothing,
    comes_before_the_hard_limit,
    has_defaults_in_its_context,
    does_not_count_the_start_of_a_worker,
    does_not_count_the_wait_for_a_token,
);

matrix!(except fork: is_false_in_a_worker_of_a_job_that_was_asked_to_stop);

const SHORT: Duration = Duration::from_millis(20);
/// Long for a job that does nothing, even on a busy machine.
const LONG: Duration = Duration::from_millis(500);
const LONGER: Duration = Duration::from_millis(700);
const MIB: usize = 1 << 20;

/// Works until `should_stop()` is true, in as many threads.
fn work_until_asked_to_stop(threads: usize) {
    let work = || while !should_stop() {};
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(work)));
        work();
    });
}

async fn is_true_past_the_time_limit(case: Case) {
    let context = case.context();
    for threads in [1, 3] {
        let start = Instant::now();
        context.run_sync(work_until_asked_to_stop, threads).soft_time_limit(SHORT).await.unwrap();
        assert!(start.elapsed() >= SHORT);
    }
    context.close().await.unwrap();
}

async fn is_true_past_the_cpu_limit(case: Case) {
    let context = case.context();
    for threads in [1, 3] {
        context.run_sync(work_until_asked_to_stop, threads).soft_cpu_limit(SHORT).await.unwrap();
    }
    // What jobs before have used does not count, nor does sleep.
    let sleeps = |time: Duration| {
        sleep(time);
        should_stop()
    };
    assert!(!context.run_sync(sleeps, LONG).soft_cpu_limit(LONG / 2).await.unwrap());
    context.close().await.unwrap();
}

async fn is_true_past_the_memory_limit(case: Case) {
    let context = case.context();
    let takes = |most: usize| {
        let mut taken = Vec::new();
        while !should_stop() && taken.len() < most {
            taken.push(vec![1_u8; MIB]);
            sleep(Duration::from_millis(1));
        }
        black_box(&taken).len()
    };
    let taken = context.run_sync(takes, 1000).soft_memory_limit(64 * MIB as u64).await.unwrap();
    assert!((8..1000).contains(&taken), "{taken} MiB");
    context.close().await.unwrap();
}

async fn stays_true(case: Case) {
    let context = case.context();
    let gives_back = |()| {
        let taken = vec![1_u8; 128 * MIB];
        let reported = should_stop();
        drop(black_box(taken));
        sleep(Duration::from_millis(5));
        (reported, should_stop())
    };
    let reported = context.run_sync(gives_back, ()).soft_memory_limit(64 * MIB as u64).await.unwrap();
    assert_eq!(reported, (true, true));
    context.close().await.unwrap();
}

async fn is_false_without_a_limit(case: Case) {
    let context = case.context();
    assert!(!should_stop(), "this is no worker");
    let asks = |()| should_stop();
    assert!(!context.run_sync(asks, ()).await.unwrap());
    let endless = context.run_sync(asks, ()).soft_time_limit(Duration::MAX).soft_cpu_limit(Duration::MAX);
    assert!(!endless.soft_memory_limit(u64::MAX).await.unwrap());
    context.close().await.unwrap();
}

async fn is_false_in_the_job_after(case: Case) {
    let context = case.context();
    let asks = |()| (should_stop(), std::process::id());
    let tight = || context.run_sync(asks, ()).soft_time_limit(Duration::ZERO);
    let (reported, pid) = tight().await.unwrap();
    assert!(reported);
    assert_eq!(context.run_sync(asks, ()).await.unwrap(), (false, pid));
    assert_eq!(tight().await.unwrap(), (true, pid));
    let panics = context.run_sync(|()| assert!(!should_stop(), "reported"), ()).soft_time_limit(Duration::ZERO);
    assert!(matches!(panics.await, Err(Error::Panicked(_))));
    assert_eq!(context.run_sync(asks, ()).await.unwrap(), (false, pid));
    assert_eq!(context.run_sync(asks, ()).soft_time_limit(LONG).await.unwrap(), (false, pid));
    context.close().await.unwrap();
}

async fn kills_nothing(case: Case) {
    let context = case.context();
    let ignores = |time: Duration| {
        sleep(time);
        std::process::id()
    };
    let zero = Duration::ZERO;
    let call = context.run_sync(ignores, SHORT * 5).soft_time_limit(zero).soft_cpu_limit(zero).soft_memory_limit(0);
    let pid = call.await.unwrap();
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    context.close().await.unwrap();
}

async fn comes_before_the_hard_limit(case: Case) {
    let context = case.context();
    let hard = Duration::from_secs(60);
    let heeds = context.run_sync(work_until_asked_to_stop, 1).soft_time_limit(SHORT).time_limit(hard).cpu_limit(hard);
    heeds.await.unwrap();
    let ignores = context.run_sync(|()| -> () { job::spin() }, ()).soft_time_limit(SHORT).time_limit(SHORT * 5);
    assert!(matches!(ignores.await, Err(Error::TimedOut)));
    context.close().await.unwrap();
}

async fn has_defaults_in_its_context(case: Case) {
    let builder = case.builder().soft_time_limit(SHORT).soft_cpu_limit(LONG).soft_memory_limit(1 << 40);
    let context = builder.open().unwrap();
    assert_eq!(context.soft_time_limit(), Some(SHORT));
    assert_eq!(context.soft_cpu_limit(), Some(LONG));
    assert_eq!(context.soft_memory_limit(), Some(1 << 40));
    context.run_sync(work_until_asked_to_stop, 1).await.unwrap();
    let sleeps = |time: Duration| {
        sleep(time);
        should_stop()
    };
    assert!(!context.run_sync(sleeps, SHORT * 2).soft_time_limit(Duration::MAX).await.unwrap());
    context.close().await.unwrap();
}

async fn does_not_count_the_start_of_a_worker(case: Case) {
    let context = case.builder().init(|| sleep(LONGER)).open().unwrap();
    assert!(!context.run_sync(|()| should_stop(), ()).soft_time_limit(LONG).await.unwrap());
    context.close().await.unwrap();
}

async fn does_not_count_the_wait_for_a_token(case: Case) {
    let context = case.context();
    let limiter = Limiter::new(1);
    let slow = context.run_sync(|()| sleep(LONGER), ()).limiter(&limiter).into_future();
    let call = context.run_sync(|()| should_stop(), ()).limiter(&limiter).soft_time_limit(LONG).into_future();
    let (slow, reported) = futures::join!(slow, call);
    slow.unwrap();
    assert!(!reported.unwrap());
    context.close().await.unwrap();
}

async fn is_false_in_a_worker_of_a_job_that_was_asked_to_stop(case: Case) {
    let context = case.context();
    let asks_inside = |()| {
        let reported = should_stop();
        // SAFETY: the job does nothing but look at a number.
        for workers in [WorkerType::Spawn, unsafe { WorkerType::fork() }] {
            let inside = WorkerContext::builder().worker_type(workers.clone()).open().expect("a valid context");
            let call = async { inside.run_sync(|()| should_stop(), ()).await };
            assert!(!futures::executor::block_on(call).expect("a worker"), "{workers:?}");
        }
        reported
    };
    assert!(context.run_sync(asks_inside, ()).soft_time_limit(Duration::ZERO).await.unwrap());
    context.close().await.unwrap();
}
