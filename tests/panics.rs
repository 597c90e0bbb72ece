//! A panic in the function is told to the caller, and costs no worker.

use futures::FutureExt;
use offproc::{Error, PanicError, WorkerContext};
use offproc_tests::{Case, job, matrix};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::panic::AssertUnwindSafe;

matrix!(
    tells_message_and_place,
    tells_of_payloads_that_are_not_text,
    survives_a_payload_that_panics_itself,
    tells_the_backtrace_when_asked,
    tells_of_panics_in_the_codec_of_the_worker,
    leaves_panics_in_the_codec_of_the_caller_to_the_caller,
);

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

async fn tells_message_and_place(case: Case) {
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

async fn tells_of_payloads_that_are_not_text(case: Case) {
    let context = case.context();
    let panic = panic_of(&context, |()| -> () { std::panic::panic_any(5_u64) }, ()).await;
    assert!(panic.message().contains("not text"), "{panic:?}");
    assert!(panic.location().is_some());
    // This one calls no hook, so nobody can know where it came from.
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

async fn tells_the_backtrace_when_asked(case: Case) {
    fn set(value: &str) {
        // SAFETY: runs in a worker, before its first job, and workers have one thread.
        unsafe { std::env::set_var("RUST_LIB_BACKTRACE", value) };
    }
    let context = case.builder().init(|| set("1")).open().unwrap();
    let panic = panic_of(&context, |()| -> () { panic!("with a backtrace") }, ()).await;
    assert!(panic.backtrace().is_some_and(|text| text.contains("panics")), "{panic:?}");
    context.close().await.unwrap();
    let context = case.builder().init(|| set("0")).open().unwrap();
    let panic = panic_of(&context, |()| -> () { panic!("without") }, ()).await;
    assert_eq!(panic.backtrace(), None);
    context.close().await.unwrap();
}

/// Panics when it is serialised or deserialised in a process whose thread has the given name.
#[derive(Debug)]
enum Touchy {
    OnWay,
    OnWayBack,
}

fn in_worker() -> bool {
    offproc_tests::process::name(std::process::id()).as_deref() == Some("offproc-worker")
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

async fn tells_of_panics_in_the_codec_of_the_worker(case: Case) {
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
