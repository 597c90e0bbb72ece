//! Values that cannot travel are clear errors, and cost no worker.

use offproc::Error;
use offproc_tests::{Case, job, matrix};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::collections::BTreeMap;

matrix!(
    refuses_arguments_above_the_largest_size,
    refuses_results_above_the_largest_size,
    takes_what_just_fits,
    refuses_values_that_refuse_to_be_serialised,
    keeps_the_words_of_a_type_that_refuses,
    refuses_values_that_do_not_round_trip,
    refuses_values_that_need_a_self_describing_format,
    refuses_functions_of_shared_libraries,
);

const LIMIT: usize = 1 << 16;

async fn refuses_arguments_above_the_largest_size(case: Case) {
    let context = case.builder().max_message_size(LIMIT).open().unwrap();
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let error = context.run_sync(|text: String| text.len(), "x".repeat(LIMIT + 1)).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
    assert!(error.to_string().contains("max_message_size"), "it says what to do: {error}");
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before, "the worker lives on");
    context.close().await.unwrap();
}

async fn refuses_results_above_the_largest_size(case: Case) {
    let context = case.builder().max_message_size(LIMIT).open().unwrap();
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let error = context.run_sync(|size: usize| "x".repeat(size), LIMIT + 1).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
    assert!(error.to_string().contains("max_message_size"), "it says what to do: {error}");
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), before, "the worker lives on");
    context.close().await.unwrap();
}

async fn takes_what_just_fits(case: Case) {
    let context = case.builder().max_message_size(LIMIT).open().unwrap();
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

/// The error of a type that refuses, and how deep in a value the type is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Place {
    Alone,
    InSequence,
    InMap,
    InStruct,
    InNewtype,
    InOption,
    InVariant,
    Wrapped,
}

const PLACES: [Place; 8] = [
    Place::Alone,
    Place::InSequence,
    Place::InMap,
    Place::InStruct,
    Place::InNewtype,
    Place::InOption,
    Place::InVariant,
    Place::Wrapped,
];

/// Refuses on the way there (`Locked`), or at its end (`Old`).
#[derive(Debug, Clone)]
struct Old;

impl Serialize for Old {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Old {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            2 => Ok(Self),
            version => Err(de::Error::custom(format_args!("version {version} is too old"))),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Locked;

impl Serialize for Locked {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("the file is locked"))
    }
}

/// Passes on what the inner one says, in words of its own.
#[derive(Debug, Clone)]
struct Wrapped<T>(T);

impl<T: Serialize> Serialize for Wrapped<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer).map_err(|e| ser::Error::custom(format_args!("wrapped: {e}")))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Wrapped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self).map_err(|e| de::Error::custom(format_args!("wrapped: {e}")))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Newtype<T>(T);

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Holder<T> {
    Alone(T),
    InSequence(Vec<T>),
    InMap(BTreeMap<String, T>),
    InStruct { number: u8, inner: T },
    InNewtype(Newtype<T>),
    InOption(Option<T>),
    InVariant(u8, T),
    Wrapped(Wrapped<T>),
}

impl<T> Holder<T> {
    fn of(inner: T, place: Place) -> Self {
        match place {
            Place::Alone => Self::Alone(inner),
            Place::InSequence => Self::InSequence(vec![inner]),
            Place::InMap => Self::InMap(BTreeMap::from([("key".to_owned(), inner)])),
            Place::InStruct => Self::InStruct { number: 3, inner },
            Place::InNewtype => Self::InNewtype(Newtype(inner)),
            Place::InOption => Self::InOption(Some(inner)),
            Place::InVariant => Self::InVariant(3, inner),
            Place::Wrapped => Self::Wrapped(Wrapped(inner)),
        }
    }
}

async fn keeps_the_words_of_a_type_that_refuses(case: Case) {
    let context = case.context();
    let before = context.run_sync(job::pid, ()).await.unwrap();
    for place in PLACES {
        let wrapped = if place == Place::Wrapped { "wrapped: " } else { "" };
        let old = format!("codec::Old>` could not be deserialised: {wrapped}version 1 is too old");
        let locked = format!("codec::Locked>` could not be serialised: {wrapped}the file is locked");
        for (words, error) in [
            (&old, context.run_sync(|_: Holder<Old>| (), Holder::of(Old, place)).await.unwrap_err()),
            (&old, context.run_sync(|place| Holder::of(Old, place), place).await.unwrap_err()),
        ] {
            assert!(matches!(error, Error::Decode(_)), "{place:?}: {error:?}");
            assert!(error.to_string().ends_with(words.as_str()), "{place:?}: {error}");
        }
        for (words, error) in [
            (&locked, context.run_sync(|_: Holder<Locked>| (), Holder::of(Locked, place)).await.unwrap_err()),
            (&locked, context.run_sync(|place| Holder::of(Locked, place), place).await.unwrap_err()),
        ] {
            assert!(matches!(error, Error::Encode(_)), "{place:?}: {error:?}");
            assert!(error.to_string().ends_with(words.as_str()), "{place:?}: {error}");
        }
    }
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
