//! What a `BrokenWorkerError` tells of a worker's death: each part by a method, and all of it in print.

use offproc::{BrokenWorkerError, Error, Phase, WorkerContext};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, WorkerKind, job, matrix};
use serde::{Serialize, de::DeserializeOwned};
use std::time::{Duration, Instant};

matrix!(
    names_the_function_its_type_and_its_caller,
    names_the_init_function,
    tells_retire_from_idle,
    tells_how_long_the_job_ran,
    tells_what_the_worker_has_used,
    is_printed_in_one_line_or_in_full,
    is_as_complete_for_an_abandoned_job,
);

async fn death_of<A, R>(context: &WorkerContext, f: fn(A) -> R, argument: A) -> BrokenWorkerError
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned + std::fmt::Debug,
{
    match context.run_sync(f, argument).await {
        Err(Error::BrokenWorker(death)) => death,
        other => panic!("not a broken worker: {other:?}"),
    }
}

fn exit_with(code: i32) -> String {
    std::process::exit(code);
}

async fn names_the_function_its_type_and_its_caller(case: Case) {
    let context = case.context();
    let line = line!() + 1;
    let death = match context.run_sync(exit_with, 9).await {
        Err(Error::BrokenWorker(death)) => death,
        other => panic!("not a broken worker: {other:?}"),
    };
    assert_eq!(death.function(), Some("crash_report::exit_with"));
    assert_eq!(death.function_type(), Some("fn(i32) -> alloc::string::String"));
    assert!(death.function_offset().is_some_and(|offset| offset > 0));
    let caller = death.called_at().expect("it was called");
    assert_eq!((caller.file(), caller.line()), (file!(), line));
    // Each death tells of its own job.
    let death = death_of(&context, job::end_at_once, 3).await;
    assert_eq!(death.function(), Some("offproc_tests::job::end_at_once"));
    context.close().await.unwrap();
}

fn fail_to_begin() {
    job::end_at_once(4);
}

async fn names_the_init_function(case: Case) {
    let context = case.builder().init(fail_to_begin).open().unwrap();
    let death = death_of(&context, job::pid, ()).await;
    assert_eq!(death.phase(), Phase::Init);
    assert_eq!(death.function(), Some("crash_report::fail_to_begin"));
    assert_eq!((death.called_at(), death.ran_for()), (None, None), "it never had the job");
    context.close().await.unwrap();
}

fn end_in_retire() -> bool {
    job::end_at_once(5);
    false
}

async fn tells_retire_from_idle(case: Case) {
    let context = case.builder().retire(end_in_retire).open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    let death = context.close().await.unwrap_err();
    assert_eq!(death.phase(), Phase::Retire, "{death}");

    let context = case.builder().retire(|| false).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    // It has given its verdict: the second call has waited for that.
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    let gone = || context.statistics().idle_workers == 0;
    // And it is asleep, or would soon be, when it is killed.
    let idle = || offproc_tests::process::is_asleep(pid);
    until("the worker sleeps", idle).await;
    offproc_tests::process::kill(pid);
    until("its death is seen", gone).await;
    let death = context.close().await.unwrap_err();
    assert_eq!(death.phase(), Phase::Idle, "{death}");
}

async fn tells_how_long_the_job_ran(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    context.run_sync(job::pid, ()).await.unwrap();
    let die_at_the_gate = |(ticket, gate): (String, String)| {
        arrive(&ticket);
        assert!(pass(&gate));
        job::end_at_once(1);
    };
    let begin = Instant::now();
    let mut call = context.run_sync(die_at_the_gate, (arrivals.ticket(), gate.ticket())).into_future();
    drive_until(&mut call, arrivals.next()).await;
    let arrived = Instant::now();
    smol::Timer::after(Duration::from_millis(50)).await;
    let waited = arrived.elapsed();
    gate.admit_one();
    let Err(Error::BrokenWorker(death)) = call.await else { panic!("not a broken worker") };
    let ran_for = death.ran_for().expect("it had a job");
    assert!(waited < ran_for && ran_for < begin.elapsed(), "{ran_for:?}");
    context.close().await.unwrap();
}

fn use_memory_and_time(bytes: usize) {
    let block = std::hint::black_box(vec![1_u8; bytes]);
    let begin = Instant::now();
    let mut turns = 0_u64;
    while begin.elapsed() < Duration::from_millis(30) || turns < 10_000_000 {
        turns = std::hint::black_box(turns + 1);
    }
    drop(block);
    job::end_at_once(6);
}

async fn tells_what_the_worker_has_used(case: Case) {
    const BLOCK: usize = 256 << 20;
    let context = case.context();
    let death = death_of(&context, use_memory_and_time, BLOCK).await;
    let memory = death.peak_memory().expect("more than the test itself had");
    assert!((BLOCK as u64..2 * BLOCK as u64).contains(&memory), "{memory}");
    let (user, system) = (death.user_time().expect("it is ours"), death.system_time().expect("it is ours"));
    assert!(user + system > Duration::from_millis(5) && user + system < Duration::from_secs(60), "{user:?} {system:?}");
    context.close().await.unwrap();
}

async fn is_printed_in_one_line_or_in_full(case: Case) {
    let context = case.context();
    let death = death_of(&context, job::raise, libc::SIGKILL).await;
    let (short, full) = (format!("{death}"), format!("{death:#}"));
    assert!(
        short.contains("was killed by SIGKILL") && short.contains("while it ran offproc_tests::job::raise"),
        "{short}"
    );
    assert!(!short.contains('\n'), "{short}");
    for part in ["was killed by SIGKILL", "offproc_tests::job::raise", "fn(i32)", file!(), "ran for", "CPU time"] {
        assert!(full.contains(part), "{part} is not in: {full}");
    }
    println!("{short}\n{full}");
    // So does the error around it.
    assert_eq!(Error::from(death.clone()).to_string(), short);
    assert_eq!(format!("{:#}", Error::from(death)), full);
    context.close().await.unwrap();
}

async fn is_as_complete_for_an_abandoned_job(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let die_at_the_gate = |(ticket, gate): (String, String)| {
        arrive(&ticket);
        assert!(pass(&gate));
        job::end_at_once(1);
    };
    let mut call = context.run_sync(die_at_the_gate, (arrivals.ticket(), gate.ticket())).into_future();
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    gate.admit_one();
    let death = context.close().await.unwrap_err();
    assert_eq!(death.phase(), Phase::Job);
    assert_eq!(death.function_type(), Some("fn((alloc::string::String, alloc::string::String))"));
    assert!(death.ran_for().is_some() && death.called_at().is_some(), "{death:#}");
    // The fork server is who reaps, and passes it on.
    assert!(death.user_time().is_some() || case.workers() != WorkerKind::ForkServer);
    assert!(death.user_time().is_some());
}
