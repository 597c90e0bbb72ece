mod blocks;
mod copies;
mod hostile;
mod oracle;
mod refused;
mod shapes;
mod zoo;

use super::*;
use crate::wire::writer::Room;
use proptest::prelude::*;
use serde::{Deserialize, Serializer, ser::SerializeSeq};
use std::collections::BTreeMap;
use std::io;

fn bytes_of<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_to(value, &mut bytes).unwrap();
    bytes
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Polygon { corners: Vec<(i32, i32)>, name: Option<String> },
}

/// Writes two numbers and reads one.
#[derive(Debug, Deserialize)]
struct Lopsided(#[expect(dead_code, reason = "only read")] u8);

impl Serialize for Lopsided {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (1_u8, 2_u8).serialize(serializer)
    }
}

struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

/// A sequence of unknown length.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_seq(None)?.end()
    }
}

struct NoRoom;

impl Room for NoRoom {
    fn grow(&mut self, _used: usize, needed: usize) -> io::Result<(*mut u8, usize)> {
        if needed > 0 {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "all is full"));
        }
        Ok((std::ptr::NonNull::dangling().as_ptr(), 0))
    }
}

#[test]
fn bytes_that_are_left_over_are_an_error() {
    let error = decode::<Lopsided>(&bytes_of(&Lopsided(1))).unwrap_err();
    assert!(error.0.contains("Lopsided` does not round-trip: its Deserialize left 1 of 2 bytes unread"), "{error}");
    assert!(decode::<()>(&[7, 0]).is_err());
    decode::<()>(&[0]).unwrap();
    assert!(bytes_of(&()).is_empty());
    decode::<()>(&[]).unwrap();
}

#[test]
fn bytes_that_are_missing_are_an_error() {
    let bytes = bytes_of(&"some text");
    for end in 0..bytes.len() {
        let error = decode::<String>(&bytes[..end]).unwrap_err();
        assert!(error.0.starts_with("a value of type `alloc::string::String` could not be deserialised: "), "{error}");
    }
    assert_eq!(decode::<String>(&bytes).unwrap(), "some text");
}

#[test]
fn a_length_that_is_a_lie_takes_no_memory() {
    let promised = bytes_of(&(u64::MAX >> 1));
    assert!(decode::<Vec<f64>>(&promised).is_err());
    assert!(decode::<Vec<bool>>(&promised).is_err());
    assert!(decode::<Vec<u32>>(&promised).is_err());
    assert!(decode::<Vec<u8>>(&promised).is_err());
    assert!(decode::<Vec<String>>(&promised).is_err());
    assert!(decode::<String>(&promised).is_err());
    assert!(decode::<BTreeMap<u8, u8>>(&promised).is_err());
}

#[test]
fn a_value_above_the_limit_is_refused() {
    let mut out = Vec::with_capacity(1000);
    let mut writer = Writer::new(&mut out, 0, 11).unwrap();
    let error = encode(&[0_u64; 11], &mut writer).unwrap_err();
    assert_eq!(error.0, "a value of type `[u64; 11]` takes more bytes than the context's `max_message_size` allows");
    writer.truncate(0);
    encode(&[1_u64; 10], &mut writer).unwrap();
    drop(writer);
    assert_eq!(decode::<[u64; 10]>(&out).unwrap(), [1; 10]);
}

#[test]
fn a_value_without_memory_is_refused() {
    let error = encode(&1_u8, &mut Writer::new(&mut NoRoom, 0, 100).unwrap()).unwrap_err();
    assert_eq!(error.0, "there is no memory for a value of type `u8`: all is full");
}

#[test]
fn a_value_that_does_not_serialise_is_refused() {
    let mut out = Vec::new();
    let error = encode_to(&Unwilling, &mut out).unwrap_err();
    assert!(error.0.contains("Unwilling` could not be serialised: no"), "{error}");
    let error = encode_to(&Endless, &mut out).unwrap_err();
    assert!(error.0.contains("Endless` could not be serialised: it has a sequence"), "{error}");
}

#[test]
fn a_value_is_appended() {
    let mut out = vec![9];
    encode_to(&1_u8, &mut out).unwrap();
    encode_to(&2_u8, &mut out).unwrap();
    assert_eq!(out, [9, 1, 0, 2, 0]);
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Nothing),
        any::<f64>().prop_filter("equal to itself", |number| !number.is_nan()).prop_map(Shape::Circle),
        (any::<Vec<(i32, i32)>>(), any::<Option<String>>())
            .prop_map(|(corners, name)| Shape::Polygon { corners, name }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 512 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn values_go_there_and_back(value in proptest::collection::vec((shapes(), any::<u128>(), any::<char>()), 0..4)) {
        prop_assert_eq!(decode::<Vec<(Shape, u128, char)>>(&bytes_of(&value)).unwrap(), value);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>(), is_whole in any::<bool>()) {
        let end: &[u8] = if is_whole { &[0] } else { &[] };
        let bytes = [&bytes, end].concat();
        let _ = decode::<Vec<Shape>>(&bytes);
        let _ = decode::<BTreeMap<String, Option<(bool, char, Vec<u8>)>>>(&bytes);
    }
}

#[test]
fn refuses_any_number_of_elements_without_bytes() {
    use std::collections::{BTreeMap, LinkedList, VecDeque};

    fn must_be_refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(bytes: &[u8]) {
        let error = decode::<T>(bytes).unwrap_err();
        assert!(error.0.contains("more than a million elements that take no bytes"), "{error}");
    }
    let endless = bytes_of(&u64::MAX);
    must_be_refused::<Vec<()>>(&endless);
    must_be_refused::<LinkedList<()>>(&endless);
    must_be_refused::<VecDeque<[u8; 0]>>(&endless);
    must_be_refused::<BTreeMap<(), ()>>(&endless);
    must_be_refused::<(u8, Option<Vec<std::marker::PhantomData<u8>>>)>(&[&[1, 1], &endless[..]].concat());
    // Many that are allowed each, and too many together.
    must_be_refused::<Vec<Place>>(&[&[3][..], &[1, 0xff, 0xff, 0x3f].repeat(3), &[0]].concat());
    // As many in each as there are bytes behind it, of which no element takes one.
    let crowds = |count: u64| {
        let each: Vec<u8> = bytes_of(&2000_u64)[..2].repeat(count as usize);
        [&bytes_of(&count)[..2], &each, &[0]].concat()
    };
    must_be_refused::<Vec<Vec<()>>>(&crowds(1000));
    assert_eq!(decode::<Vec<Vec<()>>>(&crowds(200)).unwrap().len(), 200);
    assert_eq!(decode::<Vec<()>>(&bytes_of(&vec![(); 1 << 20])).unwrap().len(), 1 << 20);
    // Elements with bytes are bounded by them.
    let numbers = vec![[7_u8; 1]; (1 << 20) + (1 << 19)];
    assert_eq!(decode::<Vec<[u8; 1]>>(&bytes_of(&numbers)).unwrap(), numbers);
}

#[derive(Debug, Deserialize)]
enum Place {
    Nothing,
    #[expect(dead_code, reason = "only read")]
    Crowd {
        heads: Heads,
    },
}

#[derive(Debug, Deserialize)]
struct Heads(#[expect(dead_code, reason = "only read")] std::collections::LinkedList<()>);
