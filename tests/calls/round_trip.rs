//! Values go to a worker and come back.

use futures::future::join_all;
use offproc::{Error, Limiter, run_sync};
use offproc_tests::{Case, isolated, job, matrix};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, HashSet};

matrix!(
    runs_in_another_process,
    takes_several_arguments_as_a_tuple,
    takes_closures_that_capture_nothing,
    takes_and_gives_nothing,
    carries_structures,
    carries_large_values_both_ways_at_once,
    carries_vectors_of_numbers_wherever_they_stand,
    runs_a_thousand_concurrent_calls_on_two_workers,
);
isolated!(works_without_a_context);

async fn runs_in_another_process(case: Case) {
    let context = case.context();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    assert_ne!(pid, std::process::id());
    context.close().await.unwrap();
}

async fn takes_several_arguments_as_a_tuple(case: Case) {
    let context = case.context();
    let sum = context.run_sync(|(a, b, c): (u8, i64, f64)| f64::from(a) + b as f64 + c, (1, -2, 0.5)).await;
    assert_eq!(sum.unwrap(), -0.5);
    context.close().await.unwrap();
}

async fn takes_closures_that_capture_nothing(case: Case) {
    let context = case.context();
    assert_eq!(context.run_sync(|text: String| text.to_uppercase(), "häuser".to_owned()).await.unwrap(), "HÄUSER");
    assert_eq!(context.run_sync(|n: u32| n.checked_sub(1), 0).await.unwrap(), None);
    context.close().await.unwrap();
}

async fn takes_and_gives_nothing(case: Case) {
    let context = case.context();
    context.run_sync(|()| (), ()).await.unwrap();
    context.run_sync(drop::<String>, String::new()).await.unwrap();
    context.close().await.unwrap();
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Path { name: String, points: Vec<(i32, i32)>, tags: BTreeMap<String, Option<char>> },
}

async fn carries_structures(case: Case) {
    let context = case.context();
    let shapes = vec![
        Shape::Point,
        Shape::Circle(-0.0),
        Shape::Path {
            name: "\0 and \u{10ffff}".to_owned(),
            points: vec![(i32::MIN, i32::MAX)],
            tags: BTreeMap::from([(String::new(), None), ("a".to_owned(), Some('ß'))]),
        },
    ];
    let swapped = context.run_sync(|(first, rest): (Shape, Vec<Shape>)| (rest, first), (Shape::Point, shapes.clone()));
    assert_eq!(swapped.await.unwrap(), (shapes, Shape::Point));
    // An `Err` of the function's own is a value like any other.
    let parsed = context.run_sync(|text: String| text.parse::<u8>().map_err(|e| e.to_string()), "256".to_owned()).await;
    assert!(parsed.unwrap().unwrap_err().contains("too large"));
    context.close().await.unwrap();
}

async fn carries_large_values_both_ways_at_once(case: Case) {
    const SIZE: usize = 64 << 20;
    let context = case.context();
    let text = String::from_utf8((0..SIZE).map(|i| b'a' + (i % 23) as u8).collect()).unwrap();
    let (first, back) = context.run_sync(|text: String| (text.as_bytes()[0], text), text.clone()).await.unwrap();
    assert_eq!(first, b'a');
    assert!(back == text, "64 MiB come back as they went");
    // And the same worker goes on with small ones.
    assert_eq!(context.run_sync(|n: u8| n + 1, 1).await.unwrap(), 2);
    assert_eq!(context.statistics().idle_workers, 1);
    context.close().await.unwrap();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Measured {
    name: String,
    bytes: Vec<u8>,
    counts: Box<[u32]>,
    offsets: Option<Vec<i64>>,
    by_name: BTreeMap<String, Vec<f64>>,
    rows: Vec<Vec<u16>>,
    set: HashSet<u64>,
    last: bool,
}

impl Measured {
    fn of(length: usize) -> Self {
        Self {
            name: format!("{length} numbers"),
            bytes: (0..length).map(|i| i as u8).collect(),
            counts: (0..length).map(|i| (i * 40_503) as u32).collect(),
            offsets: Some((0..length).map(|i| -(i as i64)).collect()),
            by_name: BTreeMap::from([("a".to_owned(), (0..length).map(|i| i as f64 / 7.0).collect())]),
            rows: vec![vec![u16::MAX; length], Vec::new(), vec![7; 3]],
            set: (0..length.min(100) as u64).collect(),
            last: true,
        }
    }
}

/// Some of them are written as memory, others one by one; the caller's are read by the worker, and the worker's by the
/// caller.
async fn carries_vectors_of_numbers_wherever_they_stand(case: Case) {
    let context = case.context();
    for length in [0, 1, 31, 32, 100, 300_000] {
        let sent = Measured::of(length);
        let (is_whole, back) = context
            .run_sync(|(length, sent)| (sent == Measured::of(length), sent), (length, sent.clone()))
            .await
            .unwrap();
        assert!(is_whole && back == sent, "{length} numbers");
    }
    // What reads other types than it writes reads the same numbers, or is an error.
    let numbers: Vec<u32> = (0..1000).collect();
    let sum = |AsSet(numbers)| numbers.iter().sum::<u32>();
    assert_eq!(context.run_sync(sum, AsSet(numbers.iter().copied().collect())).await.unwrap(), 499_500);
    let error = context.run_sync(|_: AsTexts| (), AsTexts(numbers)).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    context.close().await.unwrap();
}

/// Written as a vector, and read as a set.
#[derive(Debug, Deserialize)]
struct AsSet(HashSet<u32>);

impl Serialize for AsSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("AsSet", &self.0.iter().copied().collect::<Vec<u32>>())
    }
}

/// Written as numbers, and read as texts.
#[derive(Debug)]
struct AsTexts(Vec<u32>);

impl Serialize for AsTexts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AsTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<String>::deserialize(deserializer).map(|texts| Self(texts.iter().map(|text| text.len() as u32).collect()))
    }
}

async fn runs_a_thousand_concurrent_calls_on_two_workers(case: Case) {
    let context = case.context();
    let two = Limiter::new(2);
    let calls = (0..1000u32).map(|n| {
        let call = context.run_sync(|n: u32| (n * n, std::process::id()), n).limiter(&two);
        async move { call.await.unwrap() }
    });
    let results = join_all(calls).await;
    assert!(results.iter().enumerate().all(|(n, (square, _))| *square as usize == n * n));
    let workers: HashSet<_> = results.iter().map(|(_, pid)| pid).collect();
    assert!(workers.len() <= 2, "{workers:?}");
    assert_eq!(two.borrowed_tokens(), 0);
    context.close().await.unwrap();
}

/// The facade's shortest form, as in the README.
fn works_without_a_context() {
    let sum = futures::executor::block_on(async { run_sync(|(a, b)| a + b, (1, 2)).await });
    assert_eq!(sum.unwrap(), 3);
}
