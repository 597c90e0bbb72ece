//! Tests of programs pause tokio's clock, which then runs ahead whenever nothing else is to be done. What other
//! processes do takes its time all the same.

use offproc::{Error, Limiter};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::Scratch;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job};
use std::thread::sleep;
use std::time::Duration;

isolated!(lets_calls_work, fires_no_deadline_early, fires_deadlines_in_time, ends_no_worker);

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
