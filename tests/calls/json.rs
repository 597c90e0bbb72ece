//! Values that travel as JSON.

use futures::executor::block_on;
use offproc::{Error, Json, SharedBytes, Transport, WorkerContext};
use offproc_tests::{Case, Executor, WorkerKind, isolated};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

isolated!(
    carries_what_needs_a_self_describing_format,
    gives_back_each_number_to_its_last_bit,
    gives_the_reason_of_json,
    is_the_value_itself_outside_a_call,
);

/// Runs a test with some kinds of worker over each transport.
fn here_and_there(test: impl Fn(&WorkerContext)) {
    for kind in [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork] {
        for transport in [Transport::SharedMemory, Transport::Stream] {
            let context = Case::new(Executor::FuturesBlockOn, kind).builder().transport(transport).open().unwrap();
            test(&context);
            block_on(context.close()).unwrap();
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Pair { left: f64, right: Option<Box<Untagged>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Circle { radius: f64 },
    Unit,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    shape: Tagged,
    rest: Open,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    id: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

fn carries_what_needs_a_self_describing_format() {
    type All = (Json<Vec<Untagged>>, Vec<Json<Tagged>>, Option<Json<Flat>>, Json<Value>, Json<SharedBytes>);
    let all: All = (
        Json(vec![
            Untagged::Number(-5),
            Untagged::Text("5".into()),
            Untagged::Pair { left: 0.1, right: Some(Untagged::Text("\"ü\n\0".into()).into()) },
        ]),
        vec![Json(Tagged::Circle { radius: 1.5 }), Json(Tagged::Unit)],
        Some(Json(Flat {
            id: 7,
            shape: Tagged::Circle { radius: 2.0 },
            rest: Open { id: 8, rest: [("more".to_owned(), json!([1, { "deep": null }]))].into() },
        })),
        Json(json!({ "a": [1, -2, 3.5, u64::MAX], "b": { "c": "text" }, "": null })),
        Json(SharedBytes::copy_from_slice(b"shared").unwrap()),
    );
    here_and_there(|context| {
        let look = |all: All| {
            assert_eq!(all.0.len(), 3);
            (all.3["a"][1].as_i64(), all)
        };
        assert_eq!(context.run_sync(look, all.clone()).wait().unwrap(), (Some(-2), all.clone()));
        // Without it, one of the two sides says what to do.
        let bare = context.run_sync(|value: Value| value, json!([1])).wait().unwrap_err();
        assert!(matches!(&bare, Error::Decode(e) if e.to_string().contains("self-describing")), "{bare:?}");
    });
}

fn gives_back_each_number_to_its_last_bit() {
    let odd = [0.1 + 0.2, 1.0 / 3.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 123_456_789.123_456_78];
    // By the bits of a Weyl sequence.
    let random = (1..=20_000_u64).map(|n| f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let numbers: Vec<f64> = odd.into_iter().chain(random.filter(|number| number.is_finite())).collect();
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    let sent = (Json(numbers.clone()), Json((u64::MAX, i64::MIN, u128::MAX, 'ü')));
    let (back, wide) = context.run_sync(|both: (Json<Vec<f64>>, Json<_>)| both, sent.clone()).wait().unwrap();
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(&numbers));
    assert_eq!(wide, sent.1);
    block_on(context.close()).unwrap();
}

fn gives_the_reason_of_json() {
    /// An array in an array in an array.
    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Null, |inner, _| json!([inner]))
    }
    here_and_there(|context| {
        let decode = |error: Error, reasons: &[&str]| {
            let Error::Decode(error) = error else { panic!("{error:?}") };
            assert!(reasons.iter().all(|reason| error.to_string().contains(reason)), "{error}");
        };
        let keys = context.run_sync(|()| Json(BTreeMap::from([((1, 2), 3)])), ()).wait().unwrap_err();
        assert!(matches!(&keys, Error::Encode(e) if e.to_string().contains("key must be a string")), "{keys:?}");
        let there = context.run_sync(drop, Json(f64::NAN)).wait().unwrap_err();
        let reasons = ["invalid type: null, expected f64", "line 1 column 4", "Json<f64>"];
        decode(there, &reasons);
        decode(context.run_sync(|()| Json(f64::NAN), ()).wait().unwrap_err(), &reasons);
        let deep = context.run_sync(|()| Json(nested(200)), ()).wait().unwrap_err();
        decode(deep, &["recursion limit exceeded at line 1 column 128"]);
        assert_eq!(*context.run_sync(|()| Json(nested(100)), ()).wait().unwrap(), nested(100));
        // The worker lives on.
        assert_eq!(context.statistics().started, 1);
    });
}

fn is_the_value_itself_outside_a_call() {
    let value = Json(Tagged::Circle { radius: 1.5 });
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(text, r#"{"kind":"Circle","radius":1.5}"#);
    assert_eq!(serde_json::from_str::<Json<Tagged>>(&text).unwrap(), value);
    let packed = postcard::to_allocvec(&value).unwrap();
    assert_eq!(packed, postcard::to_allocvec(&serde_bytes::ByteBuf::from(text)).unwrap());
    assert_eq!(postcard::from_bytes::<Json<Tagged>>(&packed).unwrap(), value);
    // It is used as what is in it.
    let mut many = Json::from(vec![3, 1, 2]);
    many.sort_unstable();
    assert_eq!((many.len(), &*many), (3, &vec![1, 2, 3]));
    let Json(inner) = many.clone();
    assert!(inner == many.0 && Json(1) < Json(2) && Json::<u8>::default() == Json(0));
    assert_eq!(format!("{many:?}"), "Json([1, 2, 3])");
    assert_eq!(HashSet::from([Json("one"), Json("one")]).len(), 1);
}
