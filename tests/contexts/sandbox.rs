//! The `sandbox` function runs once in each worker, after `init` and before the first job; where it fails, no job runs.

use offproc::{Error, Phase};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::{Case, job, matrix};

matrix!(
    runs_once_after_init_and_before_the_first_job,
    that_panics_is_reported_and_no_job_runs,
    that_kills_its_worker_is_reported_with_its_phase,
    alone_needs_no_init,
);

fn enter(scratch: &Scratch) {
    std::env::set_current_dir(scratch.folder()).unwrap();
}

fn init() {
    append("trace", "init ");
}

fn sandbox() {
    append("trace", "sandbox ");
}

fn note(_: ()) {
    append("trace", "job ");
}

fn fail() {
    panic!("this system has no sandboxes");
}

fn die() {
    job::end_at_once(9);
}

async fn runs_once_after_init_and_before_the_first_job(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().sandbox(sandbox).init(init).open().unwrap();
    assert!(context.sandbox().is_some());
    for _ in 0..2 {
        context.run_sync(note, ()).await.unwrap();
    }
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    context.run_sync(note, ()).await.unwrap();
    context.close().await.unwrap();
    let trace = trace("trace");
    assert!(trace.starts_with("init sandbox job job init sandbox job "), "{trace}");
}

async fn that_panics_is_reported_and_no_job_runs(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().sandbox(fail).open().unwrap();
    for _ in 0..2 {
        match context.run_sync(note, ()).await {
            Err(Error::Panicked(panic)) => assert_eq!(panic.message(), "this system has no sandboxes"),
            other => panic!("not what the sandbox said: {other:?}"),
        }
    }
    context.close().await.unwrap();
    assert_eq!(trace("trace"), "");
}

async fn that_kills_its_worker_is_reported_with_its_phase(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().init(init).sandbox(die).open().unwrap();
    match context.run_sync(note, ()).await {
        Err(Error::BrokenWorker(death)) => {
            assert_eq!(death.phase(), Phase::Sandbox);
            assert_eq!(death.exit_status().and_then(|status| status.code()), Some(9));
            assert!(death.to_string().contains("in its sandbox function"), "{death}");
        }
        other => panic!("not a broken worker: {other:?}"),
    }
    context.close().await.unwrap();
    assert!(!trace("trace").contains("job"));
}

async fn alone_needs_no_init(case: Case) {
    let scratch = Scratch::new();
    enter(&scratch);
    let context = case.builder().sandbox(sandbox).open().unwrap();
    context.run_sync(note, ()).await.unwrap();
    context.close().await.unwrap();
    assert_eq!(trace("trace"), "sandbox job ");
}
