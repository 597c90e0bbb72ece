//! Limits on CPU time and memory kill the worker of a job that passes them, and count nothing but the job. (Those on
//! time are in `time_limit.rs`.)

use offproc::{Error, SharedBytes};
use offproc_tests::process::must_end;
use offproc_tests::rendezvous::{Arrivals, arrive};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, job, matrix};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::thread::{sleep, spawn};
use std::time::Duration;

matrix!(
    kills_a_job_that_uses_too_much_cpu_time,
    counts_the_cpu_time_of_all_threads,
    does_not_count_cpu_time_of_jobs_before,
    kills_a_job_that_takes_too_much_memory,
    counts_shared_memory,
    leaves_modest_jobs_alone,
    has_defaults_in_its_context,
    holds_for_abandoned_jobs,
    never_hits_the_next_job,
);

const CPU: Duration = Duration::from_millis(100);
const MIB: usize = 1 << 20;
const MEMORY: u64 = 64 * MIB as u64;

/// Uses the CPU for so long.
fn burn(time: Duration) {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("it is positive");
    let begin = used();
    while used() - begin < time {
        std::hint::spin_loop();
    }
}

async fn kills_a_job_that_uses_too_much_cpu_time(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let error = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket()).cpu_limit(CPU).await.unwrap_err();
    assert!(matches!(error, Error::CpuTimeExceeded { limit: CPU, used } if used >= CPU), "{error:?}");
    must_end(arrivals.next().await);
    assert_eq!(context.run_sync(|n: u8| n, 1).await.unwrap(), 1);
    // offproc killed it for its limit: nothing to report.
    context.close().await.unwrap();
}

async fn counts_the_cpu_time_of_all_threads(case: Case) {
    let context = case.context();
    let sleeps_itself = |()| -> () {
        spawn(|| job::spin());
        loop {
            sleep(Duration::MAX);
        }
    };
    let error = context.run_sync(sleeps_itself, ()).cpu_limit(CPU).await.unwrap_err();
    assert!(matches!(error, Error::CpuTimeExceeded { .. }), "{error:?}");
    context.close().await.unwrap();
}

async fn does_not_count_cpu_time_of_jobs_before(case: Case) {
    let context = case.context();
    // Sleeping does not count either.
    for time in [Duration::ZERO, CPU * 2] {
        context.run_sync(burn, time).await.unwrap();
        context.run_sync(sleep, time).cpu_limit(CPU).await.unwrap();
    }
    assert_eq!(context.statistics().idle_workers, 1);
    context.close().await.unwrap();
}

/// Takes a lot, but not all there is.
fn devour(_: ()) {
    let taken: Vec<Vec<u8>> = (0..1024).map(|_| vec![1; MIB]).collect();
    black_box(&taken);
    job::spin();
}

fn assert_memory_exceeded(error: &Error) {
    assert!(matches!(error, Error::MemoryExceeded { limit: MEMORY, used } if *used > MEMORY), "{error:?}");
}

async fn kills_a_job_that_takes_too_much_memory(case: Case) {
    let context = case.context();
    let before = context.run_sync(job::pid, ()).memory_limit(MEMORY).await.unwrap();
    let error = context.run_sync(devour, ()).memory_limit(MEMORY).await.unwrap_err();
    assert_memory_exceeded(&error);
    must_end(before);
    assert_eq!(context.run_sync(|n: u8| n, 1).await.unwrap(), 1);
    context.close().await.unwrap();
}

async fn counts_shared_memory(case: Case) {
    let context = case.context();
    let shares = |()| -> () {
        let shared = SharedBytes::from_fn(256 * MIB, |bytes| bytes.fill(1));
        black_box(&shared.map_err(|e| e.kind()));
        job::spin();
    };
    assert_memory_exceeded(&context.run_sync(shares, ()).memory_limit(MEMORY).await.unwrap_err());
    context.close().await.unwrap();
}

async fn leaves_modest_jobs_alone(case: Case) {
    let context = case.context();
    let takes = |bytes: usize| black_box(vec![1_u8; bytes]).len();
    for _ in 0..3 {
        let call = context.run_sync(takes, 16 * MIB).memory_limit(1 << 30).cpu_limit(Duration::from_secs(60));
        assert_eq!(call.await.unwrap(), 16 * MIB);
        let unlimited = context.run_sync(takes, 16 * MIB).memory_limit(u64::MAX).cpu_limit(Duration::MAX);
        assert_eq!(unlimited.await.unwrap(), 16 * MIB);
    }
    assert_eq!(context.statistics().idle_workers, 1);
    context.close().await.unwrap();
}

async fn has_defaults_in_its_context(case: Case) {
    let context = case.builder().cpu_limit(CPU).memory_limit(MEMORY).time_limit(CPU * 4).open().unwrap();
    assert_eq!(context.cpu_limit(), Some(CPU));
    assert_eq!(context.memory_limit(), Some(MEMORY));
    assert_eq!(context.time_limit(), Some(CPU * 4));
    let spins = |()| -> () { job::spin() };
    let error = context.run_sync(spins, ()).await.unwrap_err();
    assert!(matches!(error, Error::CpuTimeExceeded { .. } | Error::TimedOut), "{error:?}");
    let error = context.run_sync(|()| sleep(Duration::MAX), ()).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error:?}");
    let error = context.run_sync(devour, ()).cpu_limit(Duration::MAX).time_limit(Duration::MAX).await.unwrap_err();
    assert_memory_exceeded(&error);
    // A call's own limit wins, be it lower or higher.
    let used = CPU * 2;
    context.run_sync(burn, used).cpu_limit(Duration::from_secs(60)).time_limit(Duration::MAX).await.unwrap();
    let takes = |bytes: usize| {
        let taken = black_box(vec![1_u8; bytes]);
        sleep(CPU);
        taken.len()
    };
    context
        .run_sync(takes, 128 * MIB)
        .memory_limit(u64::MAX)
        .time_limit(Duration::MAX)
        .cpu_limit(Duration::MAX)
        .await
        .unwrap();
    context.close().await.unwrap();
}

async fn holds_for_abandoned_jobs(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let spins = || context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket());
    let hungry = context.run_sync(
        |ticket: String| {
            arrive(&ticket);
            devour(());
        },
        arrivals.ticket(),
    );
    for call in [spins().time_limit(CPU), spins().cpu_limit(CPU), hungry.memory_limit(MEMORY)] {
        let mut call = call.into_future();
        let pid = drive_until(&mut call, arrivals.next()).await;
        drop(call);
        must_end(pid);
    }
    // As it was wanted: nothing to report.
    context.close().await.unwrap();
}

async fn never_hits_the_next_job(case: Case) {
    const SHORT: Duration = Duration::from_millis(1);
    let context = case.context();
    for n in 0..100_u32 {
        // About as long as it may.
        let call = context.run_sync(burn, SHORT * (n % 3) / 2).time_limit(SHORT).cpu_limit(SHORT);
        match call.await {
            Ok(()) | Err(Error::TimedOut | Error::CpuTimeExceeded { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        context.run_sync(burn, SHORT * 2).await.unwrap();
    }
    context.close().await.unwrap();
}
