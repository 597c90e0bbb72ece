//! The `init` function runs once in each worker, before its first job; if it fails, the caller gets the error.
//!
//! Such functions take no argument: they find the test's files in the working directory, which each test has to
//! itself.

use offproc::{Error, Limiter};
use offproc_tests::process::must_end;
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, job, matrix};
use std::path::Path;
use std::time::Duration;

matrix!(
    runs_once_in_each_worker_before_its_first_job,
    that_panics_is_reported_and_tried_again,
    that_kills_its_worker_is_reported,
    that_fails_for_ever_does_not_respawn_in_a_storm,
    that_never_ends_does_not_hang_the_call,
);

fn enter(scratch: &Scratch) {
    std::env::set_current_dir(scratch.folder()).unwrap();
}

fn note() {
    append("trace", "init ");
}

async fn runs_once_in_each_worker_before_its_first_job(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().init(note).open().unwrap();
    for _ in 0..3 {
        context.run_sync(|()| append("trace", "job "), ()).await.unwrap();
    }
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    context.run_sync(|()| append("trace", "job "), ()).await.unwrap();
    context.close().await.unwrap();
    assert_eq!(trace("trace"), "init job job job init job ");
}

fn panic_unless_fixed() {
    assert!(Path::new("fixed").exists(), "it is not fixed yet");
}

async fn that_panics_is_reported_and_tried_again(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().init(panic_unless_fixed).open().unwrap();
    let limiter = Limiter::new(1);
    for _ in 0..2 {
        match context.run_sync(job::pid, ()).limiter(&limiter).await {
            Err(Error::Panicked(panic)) => assert_eq!(panic.message(), "it is not fixed yet"),
            other => panic!("not what init said: {other:?}"),
        }
    }
    append("fixed", "");
    let pid = context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap();
    // And later: a worker that is to replace one fails.
    std::fs::remove_file("fixed").unwrap();
    assert_eq!(context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap(), pid);
    context.run_sync(job::end_at_once, 1).limiter(&limiter).await.unwrap_err();
    let later = context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap_err();
    assert!(matches!(later, Error::Panicked(_)), "{later:?}");
    context.close().await.unwrap();
}

async fn that_kills_its_worker_is_reported(case: Case) {
    let context = case.builder().init(|| job::end_at_once(3)).open().unwrap();
    for _ in 0..2 {
        match context.run_sync(job::pid, ()).await {
            Err(Error::BrokenWorker(end)) => {
                assert_eq!(end.exit_status().and_then(|status| status.code()), Some(3));
                assert!(end.to_string().contains("init"), "{end}");
            }
            other => panic!("not a broken worker: {other:?}"),
        }
    }
    context.close().await.unwrap();
}

fn note_and_panic() {
    note();
    panic!("it never works");
}

/// How long it pauses before it tries again: see `storms.rs`.
async fn that_fails_for_ever_does_not_respawn_in_a_storm(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().init(note_and_panic).open().unwrap();
    for _ in 0..6 {
        context.run_sync(job::pid, ()).await.unwrap_err();
    }
    assert_eq!(trace("trace").matches("init").count(), 6, "one try a call");
    context.close().await.unwrap();
}

async fn that_never_ends_does_not_hang_the_call(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let never_ends = || job::arrive_and_spin("arrivals".to_owned());
    let context = case.builder().init(never_ends).start_timeout(Duration::from_secs(2)).open().unwrap();
    let mut call = context.run_sync(job::pid, ()).into_future();
    let pid = drive_until(&mut call, arrivals.next()).await;
    match call.await {
        Err(Error::Spawn(error)) => {
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
            let reported = error.to_string();
            assert!(reported.contains("within 2s") && reported.contains("in its init function"), "{reported}");
        }
        other => panic!("not a start that took too long: {other:?}"),
    }
    must_end(pid);
    context.close().await.unwrap();
}
