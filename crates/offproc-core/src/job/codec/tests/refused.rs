//! Types that postcard's format cannot carry are errors that say why, never another value.

use super::bytes_of;
use crate::job::codec::{decode, encode_to};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt::Debug;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Numbers(Vec<u32>),
    Text(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internally {
    Unit,
    Newtype(Inner),
    Struct { numbers: Vec<u32> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacently {
    Unit,
    Newtype(u8),
    Tuple(u8, Vec<u32>),
    Struct { number: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    number: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    number: u32,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    number: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

fn is_written_and_not_read<T: Serialize + DeserializeOwned + Debug>(values: &[T]) {
    for value in values {
        let error = decode::<T>(&bytes_of(value)).unwrap_err();
        assert!(error.0.contains("could not be deserialised: it needs a self-describing format"), "{value:?}: {error}");
        // Among others, which its bytes could be taken for.
        let error = decode::<(u8, Vec<T>, [u8; 8])>(&bytes_of(&(1_u8, &[value][..], [0_u8; 8]))).unwrap_err();
        assert!(error.0.contains("self-describing"), "{value:?}: {error}");
    }
}

#[test]
fn what_needs_a_self_describing_format_is_refused() {
    let text = "one".to_owned();
    is_written_and_not_read(&[Untagged::Number(1), Untagged::Numbers(vec![1; 100]), Untagged::Text(text)]);
    let newtype = Internally::Newtype(Inner { number: 1 });
    is_written_and_not_read(&[Internally::Unit, newtype, Internally::Struct { numbers: vec![1; 100] }]);
    let tuple = Adjacently::Tuple(1, vec![1; 100]);
    is_written_and_not_read(&[Adjacently::Unit, Adjacently::Newtype(1), tuple, Adjacently::Struct { number: 1 }]);
    is_written_and_not_read(&[serde_json::json!([1, "two", null]), serde_json::json!({ "one": 1 })]);
}

#[test]
fn what_would_skip_a_value_is_refused() {
    for value in [bytes_of(&7_u8), bytes_of(&vec![7_u32; 100]), Vec::new()] {
        let error = decode::<IgnoredAny>(&value).unwrap_err();
        assert!(error.0.contains("self-describing"), "{error}");
    }
}

/// A sequence whose iterator does not know its length.
struct Odd(Vec<u32>);

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter(|number| *number % 2 == 1))
    }
}

#[test]
fn what_does_not_tell_its_length_is_refused() {
    fn is_not_written<T: Serialize>(value: &T) {
        let error = encode_to(value, &mut Vec::new()).unwrap_err();
        assert!(error.0.contains("whose length its Serialize does not tell beforehand"), "{error}");
    }
    is_not_written(&Flat { number: 1, inner: Inner { number: 2 } });
    is_not_written(&Open { number: 1, rest: BTreeMap::new() });
    is_not_written(&Odd((0..100).collect()));
    is_not_written(&Some((1_u8, vec![Odd(vec![1])])));
    // Nor are they read from what another type has written.
    for bytes in [bytes_of(&(1_u32, 2_u32)), bytes_of(&BTreeMap::from([("number", 1_u32), ("inner", 2)]))] {
        decode::<Flat>(&bytes).unwrap_err();
        decode::<Open>(&bytes).unwrap_err();
    }
}
