//! A job's error is the same in its caller: errors of any type as a `JobError`, and offproc's own.

use anyhow::Context;
use offproc::{BrokenWorkerError, Error, JobError, Phase, WorkerContext, run_sync};
use offproc_tests::{Case, job, matrix};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::iter::successors;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

matrix!(
    prints_in_the_caller_what_it_printed_in_the_job,
    is_passed_on_by_a_question_mark,
    has_a_backtrace_where_one_is_asked_for,
    of_a_worker_s_own_calls_are_the_same_in_the_program,
);

matrix!(except fork: of_a_worker_s_own_worker_are_complete, through_workers_of_workers);

/// The content of a `JobError`, without `{:?}`, whose backtrace would be of where it is printed.
fn told_of_job(error: &JobError) -> Vec<String> {
    let causes = successors(error.source(), |&cause| cause.source()).map(|cause| format!("{cause}\n{cause:#}"));
    [error.to_string(), format!("{error:#}"), error.type_name().to_owned()].into_iter().chain(causes).collect()
}

fn fail_in_layers(way: u32) -> anyhow::Result<u32> {
    let number = match way {
        0 => "x".parse::<u32>().context("no number")?,
        1 => std::fs::read("/no/such/file").with_context(|| "a file").context("a table")?.len() as u32,
        _ => anyhow::bail!("no way {way}"),
    };
    Ok(number)
}

fn fail(way: u32) -> Result<u32, JobError> {
    Ok(match way {
        0..3 => fail_in_layers(way)?,
        3 => Err(std::io::Error::from_raw_os_error(libc::EIO))?,
        4 => Err("a literal")?,
        5 => Err(format!("text with {way}"))?,
        6 => Err(Box::<dyn std::error::Error + Send + Sync>::from("in a box"))?,
        7 => Err(Error::Closed)?,
        8 => Err(eyre::eyre!("inner").wrap_err("outer"))?,
        way => way,
    })
}

async fn prints_in_the_caller_what_it_printed_in_the_job(case: Case) {
    let context = case.context();
    for way in 0..=8 {
        // As it is where no process is between.
        let expected = fail(way).unwrap_err();
        let error = context.run_sync(fail, way).await.unwrap().unwrap_err();
        assert_eq!(told_of_job(&error), told_of_job(&expected));
        assert_eq!(format!("{error:?}"), format!("{expected:?}"));
    }
    assert_eq!(context.run_sync(fail, 9).await.unwrap().unwrap(), 9);
    let error = context.run_sync(fail, 1).await.unwrap().unwrap_err();
    assert_eq!(format!("{error:#}"), "a table: a file: No such file or directory (os error 2)");
    assert_eq!(
        format!("{error:?}"),
        "a table\n\nCaused by:\n    0: a file\n    1: No such file or directory (os error 2)"
    );
    assert_eq!((error.type_name(), error.backtrace()), ("anyhow::Error", None));
    context.close().await.unwrap();
}

async fn is_passed_on_by_a_question_mark(case: Case) {
    async fn as_itself(context: &WorkerContext, way: u32) -> Result<u32, JobError> {
        let number = context.run_sync(fail, way).await??;
        Ok(number)
    }
    async fn in_anyhow(context: &WorkerContext, way: u32) -> anyhow::Result<u32> {
        Ok(context.run_sync(fail, way).await??)
    }
    async fn in_a_box(context: &WorkerContext, way: u32) -> Result<u32, Box<dyn std::error::Error>> {
        Ok(context.run_sync(fail, way).await??)
    }
    async fn in_a_box_for_threads(
        context: &WorkerContext,
        way: u32,
    ) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        context.run_sync(fail, way).await?.map_err(JobError::into_boxed)
    }
    let context = case.context();
    let error = as_itself(&context, 0).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.type_name()), ("no number", "anyhow::Error"));
    let error = in_anyhow(&context, 0).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "no number: invalid digit found in string");
    let cause = in_a_box(&context, 0).await.map_err(|error| error.source().unwrap().to_string());
    assert_eq!(cause.unwrap_err(), "invalid digit found in string");
    let error = in_a_box_for_threads(&context, 0).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "no number: invalid digit found in string");
    for result in
        [as_itself(&context, 9).await.ok(), in_anyhow(&context, 9).await.ok(), in_a_box(&context, 9).await.ok()]
    {
        assert_eq!(result, Some(9));
    }
    context.close().await.unwrap();
    // The first of the two is for offproc's own errors.
    assert_eq!(as_itself(&context, 9).await.unwrap_err().type_name(), std::any::type_name::<Error>());
    assert!(matches!(in_anyhow(&context, 9).await.unwrap_err().downcast_ref(), Some(Error::Closed)));
    assert!(matches!(in_a_box(&context, 9).await.unwrap_err().downcast_ref(), Some(Error::Closed)));
}

#[inline(never)]
fn fail_deep(depth: u32) -> Result<u32, JobError> {
    if depth == 0 {
        return Ok("x".parse::<u32>()?);
    }
    Ok(std::hint::black_box(fail_deep(depth - 1))? + 1)
}

async fn has_a_backtrace_where_one_is_asked_for(case: Case) {
    let context = case.builder().env("RUST_BACKTRACE", "1").open().unwrap();
    let error = context.run_sync(fail_deep, 3).await.unwrap().unwrap_err();
    let text = error.backtrace().expect("it was asked for");
    // Those of the function, and neither what made the error nor what called the job.
    assert!(text.starts_with("   0: errors_that_travel::fail_deep"), "{text}");
    assert_eq!(text.matches("errors_that_travel::fail_deep").count(), 4, "{text}");
    assert!(!text.contains("offproc_core"), "{text}");
    assert_eq!(format!("{error:?}"), format!("{error}\n\nStack backtrace:\n{}", text.trim_end()));
    assert!(!format!("{error:#}").contains("fail_deep"), "{error:#}");
    assert_eq!(error.clone().backtrace(), Some(text));
    // A `?` on the way does not take another.
    let passed_on = (|| -> Result<(), JobError> { Err(error.clone())? })().unwrap_err();
    assert_eq!(passed_on.backtrace(), Some(text));
    // As text, for people, it is there.
    let json: JobError = serde_json::from_str(&serde_json::to_string(&error).unwrap()).unwrap();
    assert_eq!(json.backtrace(), Some(text));
    context.close().await.unwrap();

    let context = case.builder().env("RUST_BACKTRACE", "full").open().unwrap();
    let error = context.run_sync(fail_deep, 0).await.unwrap().unwrap_err();
    let text = error.backtrace().expect("it was asked for");
    assert!(text.contains("fail_deep") && text.contains("offproc_core::worker::"), "{text}");
    context.close().await.unwrap();

    let context = case.builder().env("RUST_BACKTRACE", "1").env("RUST_LIB_BACKTRACE", "0").open().unwrap();
    let error = context.run_sync(fail_deep, 0).await.unwrap().unwrap_err();
    assert_eq!(error.backtrace(), None);
    context.close().await.unwrap();
}

/// The content of an `Error`.
fn content(error: &Error) -> Vec<String> {
    let mut content = vec![
        format!("{error}\n{error:#}"),
        format!("{:?}", std::mem::discriminant(error)),
        format!("{:?}", (error.is_timeout(), error.is_crash(), error.is_panic())),
    ];
    match error {
        Error::Panicked(panic) => content.push(format!("{:?} {:?}", panic, panic.backtrace())),
        Error::BrokenWorker(death) => content.extend(content_of_death(death)),
        Error::Spawn(error) => content.push(format!("{error} {:?} {:?}", error.kind(), error.raw_os_error())),
        _ => {}
    }
    content
}

fn content_of_death(death: &BrokenWorkerError) -> Vec<String> {
    vec![
        format!("{:?}", (death.pid(), death.exit_status(), death.phase(), death.count(), death.killed())),
        format!("{:?}", (death.function(), death.function_offset(), death.function_type(), death.called_at())),
        format!("{:?}", (death.ran_for(), death.user_time(), death.system_time(), death.peak_memory())),
        format!("{:?}", (death.fault(), death.core_dumped(), death.oom_killed(), death.stderr())),
    ]
}

/// Travels in no direction.
struct Stuck;

impl Serialize for Stuck {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("it does not leave"))
    }
}

impl<'de> Deserialize<'de> for Stuck {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("it does not arrive"))
    }
}

/// Arrives nowhere.
#[derive(Serialize)]
struct Lost;

impl<'de> Deserialize<'de> for Lost {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("it does not arrive"))
    }
}

fn use_cpu_time(_: ()) {
    loop {
        std::hint::black_box(());
    }
}

fn take_memory(_: ()) {
    let _block = std::hint::black_box(vec![1_u8; 256 << 20]);
    job::sleep()
}

fn overflow(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if std::hint::black_box(true) { overflow(depth + 1) + frame[1] } else { 0 }
}

/// An error of a call that this process makes, in the way with this number.
fn error_of_a_call(way: u32) -> Result<(), Error> {
    match way {
        0 => run_sync(|()| -> () { panic!("in the worker of a worker") }, ()).wait(),
        1 => run_sync(job::end_at_once, 7).wait(),
        2 => run_sync(|()| job::raise(libc::SIGKILL), ()).wait(),
        3 => run_sync(|_: Stuck| (), Stuck).wait(),
        4 => run_sync(|_: Lost| (), Lost).wait(),
        5 => run_sync(|()| job::sleep(), ()).time_limit(Duration::from_millis(20)).wait(),
        6 => run_sync(use_cpu_time, ()).cpu_limit(Duration::from_millis(20)).wait(),
        7 => run_sync(take_memory, ()).memory_limit(64 << 20).wait(),
        8 => {
            let context = WorkerContext::builder().open().expect("the settings are in order");
            context.close().wait()?;
            context.run_sync(|()| (), ()).wait()
        }
        9 => {
            let context = WorkerContext::builder().current_dir("/no/such/directory").open().expect("so are these");
            context.run_sync(|()| (), ()).wait()
        }
        10 => {
            let builder = WorkerContext::builder().init(|| job::end_at_once(3)).keep_stderr(true);
            builder.open().expect("so are these").run_sync(|()| (), ()).wait()
        }
        11 => {
            let context = WorkerContext::builder().fault_details(true).open().expect("so are these");
            context.run_sync(overflow, 0).wait().map(|_| ())
        }
        _ => Ok(()),
    }
}

const WAYS: u32 = 12;

/// The error, and its content here.
fn error_and_its_content(way: u32) -> Result<(), (Error, Vec<String>)> {
    error_of_a_call(way).map_err(|error| {
        let content = content(&error);
        (error, content)
    })
}

async fn of_a_worker_s_own_calls_are_the_same_in_the_program(case: Case) {
    let context = case.context();
    for way in 0..WAYS {
        let (error, expected) = context.run_sync(error_and_its_content, way).await.unwrap().unwrap_err();
        assert_eq!(content(&error), expected, "{way}");
    }
    assert!(context.run_sync(error_of_a_call, WAYS).await.unwrap().is_ok());
    context.close().await.unwrap();
}

async fn of_a_worker_s_own_worker_are_complete(case: Case) {
    // The worker has not looked the name up: that happens here.
    let context = case.context();
    let error = async |way| context.run_sync(error_of_a_call, way).await.unwrap().unwrap_err();
    let Error::Panicked(panic) = error(0).await else { panic!("not a panic") };
    assert_eq!(panic.message(), "in the worker of a worker");
    assert!(panic.location().is_some_and(|location| location.contains("errors_that_travel.rs:")), "{panic}");

    let Error::BrokenWorker(death) = error(1).await else { panic!("not a death") };
    assert_eq!(death.exit_status().and_then(|status| status.code()), Some(7));
    assert_eq!((death.phase(), death.function()), (Phase::Job, Some("offproc_tests::job::end_at_once")));
    assert_eq!(death.function_type(), Some("fn(i32)"));
    assert!(death.called_at().is_some_and(|place| place.contains("errors_that_travel.rs:")), "{death:#}");
    let Error::BrokenWorker(death) = error(2).await else { panic!("not a death") };
    assert_eq!(death.exit_status().and_then(|status| status.signal()), Some(libc::SIGKILL));

    assert!(matches!(error(3).await, Error::Encode(e) if e.to_string().contains("it does not leave")));
    assert!(matches!(error(4).await, Error::Decode(e) if e.to_string().contains("it does not arrive")));
    assert!(error(5).await.is_timeout());
    assert!(matches!(error(6).await, Error::CpuTimeExceeded { limit, .. } if limit == Duration::from_millis(20)));
    assert!(matches!(error(7).await, Error::MemoryExceeded { limit, .. } if limit == 64 << 20));
    assert!(matches!(error(8).await, Error::Closed));
    assert!(matches!(error(9).await, Error::Spawn(e) if e.to_string().contains("/no/such/directory")));
    let Error::BrokenWorker(death) = error(10).await else { panic!("not a death") };
    assert_eq!(death.phase(), Phase::Init);
    let Error::BrokenWorker(death) = error(11).await else { panic!("not a death") };
    assert!(death.fault().is_some_and(|fault| fault.is_stack_overflow()), "{death:#}");
    context.close().await.unwrap();
}

/// One process further for each.
fn hand_down(depth: u32) -> Result<u32, JobError> {
    if depth > 0 {
        let number = run_sync(hand_down, depth - 1).wait()??;
        return Ok(number);
    }
    fail(1)
}

fn hand_down_a_crash(depth: u32) -> Result<(), Error> {
    if depth > 0 { run_sync(hand_down_a_crash, depth - 1).wait()? } else { run_sync(job::end_at_once, 7).wait() }
}

async fn through_workers_of_workers(case: Case) {
    let context = case.context();
    for depth in 0..2 {
        let error = context.run_sync(hand_down, depth).await.unwrap().unwrap_err();
        assert_eq!(told_of_job(&error), told_of_job(&fail(1).unwrap_err()));
    }
    let Error::BrokenWorker(death) = context.run_sync(hand_down_a_crash, 1).await.unwrap().unwrap_err() else {
        panic!("not a death")
    };
    assert_eq!((death.function(), death.count()), (Some("offproc_tests::job::end_at_once"), 1));
    context.close().await.unwrap();
}
