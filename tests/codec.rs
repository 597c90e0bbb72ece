//! Values that cannot travel are clear errors, and cost no worker.

use offproc::Error;
use offproc_tests::{Case, job, matrix};
use serde::{Deserialize, Serialize, Serializer, ser};

matrix!(
    refuses_arguments_above_the_frame_limit,
    refuses_results_above_the_frame_limit,
    takes_what_just_fits,
    refuses_values_that_refuse_to_be_serialised,
    refuses_values_that_do_not_round_trip,
    refuses_values_that_need_a_self_describing_format,
    refuses_functions_of_shared_libraries,
);

const LIMIT: usize = 1 << 16;

async fn refuses_arguments_above_the_frame_limit(case: Case) {
    let context = case.builder().frame_limit(LIMIT).open().unwrap();
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let error = context.run_sync(|text: String| text.len(), "x".repeat(LIMIT + 1)).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
    assert!(error.to_string().contains("frame_limit"), "it says what to do: {error}");
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before, "the worker lives on");
    context.close().await.unwrap();
}

async fn refuses_results_above_the_frame_limit(case: Case) {
    let context = case.builder().frame_limit(LIMIT).open().unwrap();
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let error = context.run_sync(|size: usize| "x".repeat(size), LIMIT + 1).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
    assert!(error.to_string().contains("frame_limit"), "it says what to do: {error}");
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before, "the worker lives on");
    context.close().await.unwrap();
}

async fn takes_what_just_fits(case: Case) {
    let context = case.builder().frame_limit(LIMIT).open().unwrap();
    // The text's own length, and what a job says beside its argument, take a few bytes.
    let text = "x".repeat(LIMIT - 32);
    assert_eq!(context.run_sync(|text: String| text, text.clone()).await.unwrap(), text);
    context.close().await.unwrap();
}

#[derive(Debug, Deserialize)]
struct Stubborn {
    now: bool,
}

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.now { Err(ser::Error::custom("not me")) } else { serializer.serialize_bool(true) }
    }
}

async fn refuses_values_that_refuse_to_be_serialised(case: Case) {
    let context = case.context();
    let error = context.run_sync(|_: Stubborn| (), Stubborn { now: true }).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
    assert!(error.to_string().contains("Stubborn"), "it names the type: {error}");
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let error = context.run_sync(|stubborn: Stubborn| stubborn, Stubborn { now: false }).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before, "the worker lives on");
    context.close().await.unwrap();
}

/// What leaves a field out cannot be read by a format without names.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
    last: u8,
}

/// Reads less than it writes.
#[derive(Debug, Serialize, Deserialize)]
struct Forgetful {
    #[serde(skip_deserializing)]
    forgotten: u32,
}

async fn refuses_values_that_do_not_round_trip(case: Case) {
    let context = case.context();
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let error = context.run_sync(|_: Sparse| (), Sparse::default()).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    assert!(error.to_string().contains("Sparse"), "it names the type: {error}");
    let error = context.run_sync(|_: Forgetful| (), Forgetful { forgotten: 1 }).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    assert!(error.to_string().contains("does not round-trip"), "{error}");
    let error = context.run_sync(|forgotten| Forgetful { forgotten }, 1).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before, "the worker lives on");
    context.close().await.unwrap();
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u32),
    Text(String),
}

async fn refuses_values_that_need_a_self_describing_format(case: Case) {
    let context = case.context();
    let error = context.run_sync(|_: Either| (), Either::Number(1)).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    assert!(error.to_string().contains("self-describing"), "{error}");
    let error = context.run_sync(|_: ()| Either::Text(String::new()), ()).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    context.close().await.unwrap();
}

async fn refuses_functions_of_shared_libraries(case: Case) {
    // SAFETY: the pointer is never called, here or anywhere; it only has to be of another object than this one.
    let foreign = unsafe { std::mem::transmute::<unsafe extern "C" fn(i32) -> i32, fn(i32) -> i32>(libc::abs) };
    let context = case.context();
    let error = context.run_sync(foreign, -1).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
    assert!(error.to_string().contains("shared library"), "{error}");
    context.close().await.unwrap();
}
