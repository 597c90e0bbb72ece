//! The caller gets a panic of the function as an error, and it costs no worker.

use futures::FutureExt;
use offproc::{Error, PanicError, WorkerContext};
use offproc_tests::{Case, job, matrix};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::panic::AssertUnwindSafe;
#[cfg(unix)]
use {offproc::Resource, offproc_tests::WorkerKind, std::time::Duration};

matrix!(
    has_message_and_location,
    reports_payloads_that_are_not_text,
    survives_a_payload_that_panics_itself,
    has_a_backtrace_when_asked,
    reports_panics_in_the_codec_of_the_worker,
    leaves_panics_in_the_codec_of_the_caller_to_the_caller,
);
// They limit the memory, and read what was printed.
#[cfg(unix)]
matrix!(takes_no_memory_for_a_backtrace, prints_the_cause_where_it_cannot_unwind);

/// The panic that a call ends with; its worker must go on afterwards.
async fn panic_of<A, R>(context: &WorkerContext, f: fn(A) -> R, argument: A) -> PanicError
where
    A: Serialize + serde::de::DeserializeOwned,
    R: Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let panic = match context.run_sync(f, argument).await {
        Err(Error::Panicked(panic)) => panic,
        other => panic!("not a panic: {other:?}"),
    };
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before, "the worker lives on");
    panic
}

async fn has_message_and_location(case: Case) {
    let context = case.context();
    let line = line!() + 1;
    let panic = panic_of(&context, |n: i32| -> i32 { panic!("no {n} today") }, 7).await;
    assert_eq!(panic.message(), "no 7 today");
    let place = format!("panics.rs:{line}:");
    assert!(panic.location().is_some_and(|location| location.contains(&place)), "{panic:?}");
    assert!(Error::from(panic).to_string().contains("no 7 today"));
    let panic = panic_of(&context, |list: Vec<u8>| list[3], vec![1, 2]).await;
    assert!(panic.message().contains("the len is 2 but the index is 3"), "{panic:?}");
    context.close().await.unwrap();
}

async fn reports_payloads_that_are_not_text(case: Case) {
    let context = case.context();
    let panic = panic_of(&context, |()| -> () { std::panic::panic_any(5_u64) }, ()).await;
    assert!(panic.message().contains("not text"), "{panic:?}");
    assert!(panic.location().is_some());
    // This one calls no hook, so its location is unknown.
    let panic = panic_of(&context, |()| -> () { std::panic::resume_unwind(Box::new("again")) }, ()).await;
    assert_eq!(panic.message(), "again");
    context.close().await.unwrap();
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and now this");
    }
}

async fn survives_a_payload_that_panics_itself(case: Case) {
    let context = case.context();
    panic_of(&context, |()| -> () { std::panic::panic_any(Bomb) }, ()).await;
    context.close().await.unwrap();
}

fn set_backtraces(value: &str) {
    // SAFETY: runs in a worker, before its first job, and workers have one thread.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", value) };
}

#[inline(never)]
fn panic_deep(depth: u32) -> u32 {
    assert!(depth > 0, "with a backtrace");
    std::hint::black_box(panic_deep(depth - 1)) + 1
}

async fn has_a_backtrace_when_asked(case: Case) {
    let context = case.builder().init(|| set_backtraces("1")).open().unwrap();
    let panic = panic_of(&context, panic_deep, 3).await;
    let text = panic.backtrace().expect("it was asked for");
    // As std prints it: each frame of the function, and none of the hook's or of the worker's.
    assert_eq!(text.matches("panics::panic_deep").count(), 4, "{text}");
    assert!(!text.contains("rust_panic_with_hook") && !text.contains("offproc_core"), "{text}");
    // A clone has it, and so has what has travelled on.
    assert_eq!(panic.clone().backtrace(), Some(text));
    let full = format!("{:#}", Error::from(panic.clone()));
    assert!(
        full.starts_with(&panic.to_string()) && full.contains("stack backtrace:") && full.contains(text.trim_end())
    );
    assert!(!panic.to_string().contains('\n'), "{panic}");
    context.close().await.unwrap();
    let context = case.builder().init(|| set_backtraces("full")).open().unwrap();
    let panic = panic_of(&context, panic_deep, 0).await;
    let text = panic.backtrace().expect("it was asked for");
    assert!(
        text.contains("panic_deep") && text.contains("rust_begin_unwind") && text.contains("offproc_core"),
        "{text}"
    );
    context.close().await.unwrap();
    let context = case.builder().init(|| set_backtraces("0")).open().unwrap();
    let panic = panic_of(&context, |()| -> () { panic!("without") }, ()).await;
    assert_eq!(panic.backtrace(), None);
    assert_eq!(format!("{panic:#}"), panic.to_string());
    context.close().await.unwrap();
    // By the setting of the context, as the reference says.
    let context = case.builder().env("RUST_BACKTRACE", "1").env("RUST_LIB_BACKTRACE", "1").open().unwrap();
    let panic = panic_of(&context, panic_deep, 0).await;
    assert!(panic.backtrace().is_some_and(|text| text.contains("panic_deep")), "{panic:?}");
    context.close().await.unwrap();
}

#[cfg(unix)]
/// Takes all memory there is but so many MiB, and panics.
fn run_out_of_memory(left: usize) -> u32 {
    let mut kept = Vec::new();
    loop {
        let mut piece = Vec::<u8>::new();
        match piece.try_reserve_exact(1 << 20) {
            Ok(()) => kept.push(piece),
            Err(error) => {
                kept.truncate(kept.len() - left);
                panic!("no memory: {error}")
            }
        }
    }
}

#[cfg(unix)]
async fn takes_no_memory_for_a_backtrace(case: Case) {
    if case.workers() == WorkerKind::Fork {
        return; // it has all the addresses of the test
    }
    let limited = case.builder().resource_limit(Resource::AddressSpace, 256 << 20);
    let context = limited.init(|| set_backtraces("1")).time_limit(Duration::from_secs(60)).open().unwrap();
    for left in [0, 1, 2, 4, 8, 16, 32] {
        match context.run_sync(run_out_of_memory, left).await {
            Err(Error::Panicked(panic)) => {
                assert!(panic.message().starts_with("no memory"), "{panic:?}");
                assert!(panic.backtrace().is_some_and(|text| text.contains("run_out_of_memory")), "{panic:#}");
            }
            // There was none for the message.
            Err(Error::BrokenWorker(death)) => assert_eq!(left, 0, "{death:#}"),
            other => panic!("with {left} MiB: {other:?}"),
        }
    }
    let _ = context.close().await;
}

#[cfg(unix)]
/// What has come out of this process's stderr, which is a file here.
fn printed() -> String {
    std::fs::read_to_string("/proc/self/fd/2").unwrap()
}

#[cfg(unix)]
struct PanicsToo(&'static str);

#[cfg(unix)]
impl Drop for PanicsToo {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[cfg(unix)]
extern "C" fn panic_in_c() {
    panic!("first in C");
}

#[cfg(unix)]
async fn prints_the_cause_where_it_cannot_unwind(case: Case) {
    let context = case.context();
    let in_c: fn(()) = |()| panic_in_c();
    let in_drop: fn(()) = |()| {
        let _bomb = PanicsToo("second in drop");
        panic!("first before drop");
    };
    let after_one_was_caught: fn(()) = |()| {
        assert!(std::panic::catch_unwind(|| panic!("first and caught")).is_err());
        panic_in_c();
    };
    for (job, causes) in [
        (in_c, &["first in C"][..]),
        (in_drop, &["first before drop", "second in drop"]),
        (after_one_was_caught, &["first in C"]),
    ] {
        let before = printed().len();
        let Err(Error::BrokenWorker(death)) = context.run_sync(job, ()).await else { panic!("it cannot unwind") };
        let printed = printed().split_off(before);
        for cause in causes {
            assert!(printed.contains(cause), "{cause:?} is not in {printed:?}");
        }
        // And by whom.
        assert!(printed.contains(&format!("worker {} panicked at ", death.pid())), "{printed:?}");
    }
    context.close().await.unwrap();
}

/// Panics when it is serialised or deserialised.
#[derive(Debug)]
enum Touchy {
    OnWay,
    OnWayBack,
}

fn in_worker() -> bool {
    offproc::is_worker()
}

impl Serialize for Touchy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!matches!(self, Self::OnWayBack), "touched while it left");
        serializer.serialize_bool(false)
    }
}

impl<'de> Deserialize<'de> for Touchy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bool::deserialize(deserializer)?;
        panic!("touched while it came {}", if in_worker() { "to the worker" } else { "to the caller" });
    }
}

async fn reports_panics_in_the_codec_of_the_worker(case: Case) {
    let context = case.context();
    let panic = panic_of(&context, |_: Touchy| (), Touchy::OnWay).await;
    assert_eq!(panic.message(), "touched while it came to the worker");
    let panic = panic_of(&context, |()| Touchy::OnWayBack, ()).await;
    assert_eq!(panic.message(), "touched while it left");
    context.close().await.unwrap();
}

async fn leaves_panics_in_the_codec_of_the_caller_to_the_caller(case: Case) {
    let context = case.context();
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let call = context.run_sync(|_: Touchy| (), Touchy::OnWayBack).into_future();
    assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
    let call = context.run_sync(|()| Touchy::OnWay, ()).into_future();
    assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before);
    assert_eq!(offproc::current_default_worker_limiter().borrowed_tokens(), 0);
    context.close().await.unwrap();
}
