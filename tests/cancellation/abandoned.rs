//! Without `kill_on_cancel`, a call that is dropped while its job runs leaves the job to finish.

use futures::poll;
use offproc::Limiter;
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, job, matrix};
use std::pin::pin;

matrix!(
    finishes_once_and_gives_back_its_token_and_worker,
    gives_back_its_token_when_it_panics,
    gives_back_its_token_when_it_dies,
    finishes_although_its_argument_was_on_its_way,
);

async fn finishes_once_and_gives_back_its_token_and_worker(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.context();
    let limiter = Limiter::new(1);
    let arguments = (arrivals.ticket(), gate.ticket(), path.clone());
    let mut call = context.run_sync(job::work, arguments).limiter(&limiter).into_future();
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    assert_eq!(limiter.borrowed_tokens(), 1, "its token stays taken");
    assert_eq!(context.statistics().running_workers, 1);
    let mut waiter = pin!(limiter.acquire());
    assert!(poll!(waiter.as_mut()).is_pending());
    gate.admit_one();
    // No other call is made.
    drop(waiter.await);
    assert_eq!(trace(&path), "done\n");
    let statistics = context.statistics();
    assert_eq!((statistics.running_workers, statistics.idle_workers), (0, 1));
    assert_eq!(context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap(), pid);
    context.close().await.unwrap();
    assert_eq!(trace(&path), "done\n");
    assert_eq!(arrivals.try_next(), None, "it ran once");
}

async fn gives_back_its_token_when_it_panics(case: Case) {
    let end = abandon(case, "panic").await;
    assert!(end.close.is_none(), "{end:?}");
}

async fn gives_back_its_token_when_it_dies(case: Case) {
    let end = abandon(case, "die").await;
    // There was no caller to get the error.
    let reported = end.close.expect("close reports it");
    assert_eq!(reported.pid(), end.pid);
    assert!(reported.to_string().contains(job::DIED), "{reported}");
}

#[derive(Debug)]
struct End {
    pid: u32,
    close: Option<offproc::BrokenWorkerError>,
}

/// Arrives, waits at a gate, and does not return.
fn fail((ticket, gate, how): (String, String, String)) {
    arrive(&ticket);
    let _ = pass(&gate);
    match &*how {
        "die" => job::die(()),
        _ => panic!("this is not reported"),
    }
}

async fn abandon(case: Case, how: &str) -> End {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let limiter = Limiter::new(1);
    let arguments = (arrivals.ticket(), gate.ticket(), how.to_owned());
    let mut call = context.run_sync(fail, arguments).limiter(&limiter).into_future();
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    gate.admit_one();
    drop(limiter.acquire().await);
    assert_eq!(context.statistics().running_workers, 0);
    assert_eq!(context.run_sync(|n: u8| n, 1).limiter(&limiter).await.unwrap(), 1);
    End { pid, close: context.close().await.err() }
}

async fn finishes_although_its_argument_was_on_its_way(case: Case) {
    let context = case.context();
    let limiter = Limiter::new(1);
    let pid = context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap();
    let mut call = context.run_sync(|text: String| text, "x".repeat(32 << 20)).limiter(&limiter).into_future();
    assert!(poll!(&mut call).is_pending());
    drop(call);
    assert_eq!(context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap(), pid);
    context.close().await.unwrap();
}
