//! Which shapes are one copy, written and read. It fails should serde change what they are recognised by.

use super::bytes_of;
use crate::job::codec::decode;
use crate::job::codec::numbers::{self, COPIES};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

/// How many copies it takes to write this value, and to read it.
fn copies<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> (usize, usize) {
    COPIES.set(0);
    let bytes = bytes_of(value);
    let written = COPIES.take();
    assert_eq!(decode::<T>(&bytes).unwrap(), *value);
    (written, COPIES.take())
}

fn in_all_containers<T: Copy + Serialize + DeserializeOwned + PartialEq + Debug + 'static>(numbers: &[T]) {
    let name = std::any::type_name::<T>();
    let vec = numbers.to_vec();
    assert_eq!(copies(&vec), (1, 1), "Vec<{name}>");
    assert_eq!(copies(&vec.clone().into_boxed_slice()), (1, 1), "Box<[{name}]>");
    assert_eq!(copies(&Cow::<'static, [T]>::Owned(vec.clone())), (1, 1), "Cow<[{name}]>");
    assert_eq!(copies(&Box::new(vec.clone())), (1, 1), "Box<Vec<{name}>>");
    assert_eq!(copies(&Some(vec.clone())), (1, 1), "Option<Vec<{name}>>");
    assert_eq!(copies(&(1_u8, vec.clone(), vec.clone())), (2, 2), "a tuple of two Vec<{name}>");
    assert_eq!(copies(&vec![vec.clone(); 3]), (3, 3), "Vec<Vec<{name}>>");
    assert_eq!(copies(&BTreeMap::from([(7_u16, vec.clone())])), (1, 1), "a map of Vec<{name}>");
    assert_eq!(copies(&Ok::<_, String>(vec.clone())), (1, 1), "Result<Vec<{name}>, _>");
    let written = |value: &dyn Fn() -> Vec<u8>| {
        COPIES.set(0);
        let bytes = value();
        assert_eq!(decode::<Vec<T>>(&bytes).unwrap(), numbers, "read as Vec<{name}>");
        COPIES.take()
    };
    assert_eq!(written(&|| bytes_of(&numbers)), 2, "&[{name}]");
    assert_eq!(written(&|| bytes_of(&&&numbers)), 2, "&&&[{name}]");
    assert_eq!(written(&|| bytes_of(&Arc::new(vec.clone()).as_slice())), 2, "a slice of an Arc<Vec<{name}>>");
}

#[test]
fn vectors_of_each_number_are_copied() {
    macro_rules! each {
        ($($number:ident)+) => {
            $(in_all_containers::<$number>(&[$number::MAX, $number::MIN, 3 as $number, 100 as $number].repeat(25));)+
        };
    }
    each!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);
    in_all_containers(&[true, false].repeat(50));
}

/// What serde gives with its feature `rc`, which is not on here.
#[derive(Debug, PartialEq)]
struct Shared(Arc<[u32]>);

impl Serialize for Shared {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (*self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<[u32]>::deserialize(deserializer).map(|numbers| Self(numbers.into()))
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent {
    numbers: Vec<i64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<i64>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Variant {
    Named { name: String, numbers: Vec<u16> },
    Newtype(Box<[u64]>),
}

#[derive(Debug, PartialEq, Clone, Copy, Serialize, Deserialize)]
struct Number(u32);

#[test]
fn vectors_in_other_types_are_copied() {
    assert_eq!(copies(&Shared((0..100).collect())), (1, 1));
    assert_eq!(copies(&Transparent { numbers: vec![-1; 100] }), (1, 1));
    assert_eq!(copies(&Newtype(vec![-1; 100])), (1, 1));
    assert_eq!(copies(&Variant::Named { name: "a name".to_owned(), numbers: vec![1; 100] }), (1, 1));
    assert_eq!(copies(&Variant::Newtype([1; 100].into())), (1, 1));
}

#[test]
fn only_the_same_type_is_taken_for_a_vector() {
    assert_eq!(numbers::vector::<Vec<u32>>(&[1, 0, 0, 0]), Some(vec![1]));
    assert_eq!(numbers::vector::<String>(&[1, 0, 0, 0]), None);
    assert_eq!(numbers::vector::<Vec<Number>>(&[1, 0, 0, 0]), None);
    assert_eq!(numbers::same::<Vec<u32>, Vec<u32>>(vec![1]), Some(vec![1]));
    assert_eq!(numbers::same::<Vec<u32>, Vec<i32>>(vec![1]), None);
    assert!(numbers::memory_of(&"bytes of a text").is_none());
    assert!(numbers::memory_of(&&[Number(7)][..]).is_none());
    assert!(numbers::memory_of(&&Box::<[u8]>::from([7])).is_none());
    let slice: &[u16] = &[1, 2];
    assert_eq!(numbers::memory_of(&slice), Some((numbers::Kind::U16, &[1, 0, 2, 0][..])));
}

#[test]
fn other_containers_and_elements_are_not() {
    assert_eq!(copies(&VecDeque::from(vec![1_u32; 100])), (0, 0));
    assert_eq!(copies(&(0..100_u32).collect::<HashSet<_>>()), (0, 0));
    assert_eq!(copies(&vec![Number(7); 100]), (0, 0));
    assert_eq!(copies(&vec!['a'; 100]), (0, 0));
    assert_eq!(copies(&vec![Some(1_u32); 100]), (0, 0));
    assert_eq!(copies(&vec![(1_f32, 2_f32); 100]), (0, 0));
    assert_eq!(copies(&vec![[1_f32; 3]; 100]), (0, 0));
    assert_eq!(copies(&[1_f32; 32]), (0, 0));
    // Varints are shorter, and as fast.
    assert_eq!(copies(&vec![1_u32; 15]), (0, 0));
    assert_eq!(bytes_of(&vec![1_u32; 15]).len(), 1 + 15 + 1);
}
