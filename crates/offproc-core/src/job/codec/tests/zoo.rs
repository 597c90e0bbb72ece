//! Values of many shapes, and any bytes: whatever the two sides of a type do, it comes to what postcard does.

use super::oracle::{as_postcard, assert_same, goes_there_and_back, postcard_reads};
use crate::job::codec::decode;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, LinkedList, VecDeque};
use std::fmt::Debug;
use std::num::{NonZeroU32, Wrapping};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Newtype<T>(T);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Field<T> {
    field: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Through<T> {
    field: T,
}

#[derive(Debug, PartialEq, Deserialize)]
enum Name {
    Zero,
    One,
    Two,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Variant {
    Unit,
    Newtype(Vec<u32>),
    Tuple(Vec<f32>, Vec<i64>),
    Struct { a: Vec<u8>, b: Option<Vec<u64>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Zoo {
    u8s: Vec<u8>,
    i8s: Box<[i8]>,
    u16s: Vec<u16>,
    i16s: Box<[i16]>,
    u32s: VecDeque<u32>,
    i32s: Cow<'static, [i32]>,
    u64s: Vec<Vec<u64>>,
    i64s: Option<Vec<i64>>,
    u128s: LinkedList<u128>,
    i128s: Vec<i128>,
    sizes: Vec<usize>,
    offsets: Vec<isize>,
    f32s: Vec<[f32; 3]>,
    f64s: [Vec<f64>; 2],
    bools: Vec<bool>,
    chars: Vec<char>,
    units: Vec<()>,
    pairs: Vec<(f32, u32)>,
    map: BTreeMap<u32, Vec<u32>>,
    set: BTreeSet<u64>,
    variants: Vec<Variant>,
    text: String,
    wrapped: Vec<Newtype<u32>>,
    wrapping: Vec<Wrapping<i32>>,
    not_zero: Vec<NonZeroU32>,
    through: Through<Vec<u16>>,
    results: Vec<Result<Vec<u32>, String>>,
    more: Option<Box<Zoo>>,
}

/// One module for each side, and a field that is left out.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct With {
    #[serde(with = "as_vec")]
    set: BTreeSet<u32>,
    #[serde(serialize_with = "wide")]
    narrow: Vec<u16>,
    #[serde(skip, default)]
    left_out: Vec<u8>,
    last: u8,
}

mod as_vec {
    use super::*;

    pub(super) fn serialize<S: Serializer>(set: &BTreeSet<u32>, serializer: S) -> Result<S::Ok, S::Error> {
        set.iter().copied().collect::<Vec<u32>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<u32>, D::Error> {
        BTreeSet::deserialize(deserializer)
    }
}

fn wide<S: Serializer>(narrow: &[u16], serializer: S) -> Result<S::Ok, S::Error> {
    narrow.iter().map(|number| u64::from(*number)).collect::<Vec<u64>>().serialize(serializer)
}

/// Some of which are blocks.
fn numbers<T: Arbitrary + Clone + 'static>() -> impl Strategy<Value = Vec<T>> {
    prop_oneof![vec(any::<T>(), 0..6), vec(any::<T>(), 0..80), Just(Vec::new())]
}

fn floats() -> impl Strategy<Value = Vec<f32>> {
    vec(any::<f32>().prop_filter("equal to itself", |number| !number.is_nan()), 0..50)
}

fn variant() -> impl Strategy<Value = Variant> {
    prop_oneof![
        Just(Variant::Unit),
        numbers().prop_map(Variant::Newtype),
        (floats(), numbers()).prop_map(|(a, b)| Variant::Tuple(a, b)),
        (numbers(), proptest::option::of(numbers())).prop_map(|(a, b)| Variant::Struct { a, b }),
    ]
}

fn zoo() -> impl Strategy<Value = Zoo> {
    let a = (numbers(), numbers::<i8>(), numbers(), numbers::<i16>(), numbers::<u32>(), numbers::<i32>());
    let b = (vec(numbers(), 0..4), proptest::option::of(numbers()), numbers::<u128>(), numbers(), numbers(), numbers());
    let c = (floats(), floats(), numbers(), numbers(), numbers(), btree_map(any::<u32>(), numbers(), 0..4));
    let d = (btree_set(any::<u64>(), 0..20), vec(variant(), 0..6), ".{0,40}", numbers::<u32>(), numbers::<i32>());
    let e = (numbers(), vec(proptest::result::maybe_ok(numbers(), ".{0,9}"), 0..4));
    let leaf = (a, b, c, d, e).prop_map(|(a, b, c, d, e)| Zoo {
        u8s: a.0,
        i8s: a.1.into(),
        u16s: a.2,
        i16s: a.3.into(),
        u32s: a.4.clone().into(),
        i32s: a.5.into(),
        u64s: b.0,
        i64s: b.1,
        u128s: b.2.into_iter().collect(),
        i128s: b.3,
        sizes: b.4,
        offsets: b.5,
        f32s: c.0.iter().map(|float| [*float; 3]).collect(),
        f64s: [c.0.iter().copied().map(f64::from).collect(), vec![0.5; c.1.len()]],
        bools: c.2,
        chars: c.3,
        units: c.4,
        pairs: c.1.into_iter().zip(a.4.iter().copied()).collect(),
        map: c.5,
        set: d.0,
        variants: d.1,
        text: d.2,
        wrapped: d.3.into_iter().map(Newtype).collect(),
        wrapping: d.4.into_iter().map(Wrapping).collect(),
        not_zero: a.4.into_iter().filter_map(NonZeroU32::new).collect(),
        through: Through { field: e.0 },
        results: e.1,
        more: None,
    });
    leaf.prop_recursive(2, 3, 1, |inner| {
        (inner.clone(), inner).prop_map(|(outer, inner)| Zoo { more: Some(Box::new(inner)), ..outer })
    })
}

fn in_all_containers<T: Serialize + DeserializeOwned + Debug + Ord + Copy>(numbers: &[T]) {
    let vec = numbers.to_vec();
    goes_there_and_back(&vec);
    goes_there_and_back(&vec.clone().into_boxed_slice());
    goes_there_and_back(&VecDeque::from(vec.clone()));
    assert!(as_postcard::<_, VecDeque<T>>(&vec).is_some());
    assert!(as_postcard::<_, LinkedList<T>>(&vec).is_some());
    assert!(as_postcard::<_, BTreeSet<T>>(&vec).is_some());
    assert!(as_postcard::<_, Vec<T>>(&VecDeque::from(vec.clone())).is_some());
    assert!(as_postcard::<_, Vec<T>>(&vec.iter().copied().collect::<BTreeSet<_>>()).is_some());
    assert!(as_postcard::<_, Vec<T>>(&BinaryHeap::from(vec.clone())).is_some());
    assert!(as_postcard::<_, Vec<T>>(&vec.iter().copied().map(Newtype).collect::<Vec<_>>()).is_some());
    assert!(as_postcard::<_, Vec<Newtype<T>>>(&vec).is_some());
    assert!(as_postcard::<_, Vec<Field<T>>>(&vec).is_some());
    assert!(as_postcard::<_, Vec<Through<T>>>(&vec).is_some());
    assert!(as_postcard::<_, Vec<(T,)>>(&vec).is_some());
    assert!(as_postcard::<_, Vec<[T; 1]>>(&vec).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_zoo_of_shapes(zoo in zoo()) {
        goes_there_and_back(&zoo);
    }

    #[test]
    fn each_number_in_each_container(
        u in (numbers::<u8>(), numbers::<u16>(), numbers::<u32>(), numbers::<u64>(), numbers::<u128>()),
        i in (numbers::<i8>(), numbers::<i16>(), numbers::<i32>(), numbers::<i64>(), numbers::<i128>()),
        sizes in (numbers::<usize>(), numbers::<isize>()),
        bools in numbers::<bool>(),
    ) {
        in_all_containers(&u.0);
        in_all_containers(&u.1);
        in_all_containers(&u.2);
        in_all_containers(&u.3);
        in_all_containers(&u.4);
        in_all_containers(&i.0);
        in_all_containers(&i.1);
        in_all_containers(&i.2);
        in_all_containers(&i.3);
        in_all_containers(&i.4);
        in_all_containers(&sizes.0);
        in_all_containers(&sizes.1);
        in_all_containers(&bools);
    }

    /// What postcard reads by chance is read, and what it refuses is refused.
    #[test]
    fn sides_that_disagree(
        a in numbers::<u32>(),
        b in numbers::<u16>(),
        c in numbers::<u8>(),
        d in numbers::<i16>(),
        text in ".{0,50}",
    ) {
        let pairs: Vec<(u32, u16)> = a.iter().copied().zip(b.iter().copied()).collect();
        as_postcard::<_, BTreeMap<u32, u16>>(&pairs);
        as_postcard::<_, Vec<(u32, u16)>>(&pairs.iter().copied().collect::<BTreeMap<_, _>>());
        as_postcard::<_, Vec<u8>>(&text);
        as_postcard::<_, String>(&c);
        as_postcard::<_, String>(&a);
        as_postcard::<_, Vec<bool>>(&c);
        as_postcard::<_, Vec<i8>>(&c);
        as_postcard::<_, Vec<u32>>(&b);
        as_postcard::<_, Vec<usize>>(&a);
        as_postcard::<_, Vec<u16>>(&a);
        as_postcard::<_, Vec<u128>>(&a);
        as_postcard::<_, Vec<u8>>(&a);
        as_postcard::<_, Vec<u32>>(&c);
        as_postcard::<_, Vec<i32>>(&a);
        as_postcard::<_, Vec<i64>>(&d);
        as_postcard::<_, Vec<u64>>(&d);
        as_postcard::<_, Vec<(u32, u32)>>(&a);
        as_postcard::<_, Vec<f32>>(&a);
        as_postcard::<_, Vec<String>>(&a);
        as_postcard::<_, Vec<Vec<u32>>>(&a);
        as_postcard::<_, BTreeMap<u32, ()>>(&a);
        as_postcard::<_, (u8, Option<u32>, Vec<u16>)>(&(&a, &b));
        as_postcard::<_, (i8, f64, Variant)>(&(&a, &b));
        as_postcard::<_, Vec<bool>>(&a.iter().map(|number| number & 1).collect::<Vec<u32>>());
        as_postcard::<_, Vec<Name>>(&a.iter().map(|number| number % 3).collect::<Vec<u32>>());
        as_postcard::<_, Vec<Option<()>>>(&vec![0_u32; a.len()]);
        let with = With { set: a.into_iter().collect(), narrow: b, left_out: Vec::new(), last: 7 };
        prop_assert!(as_postcard::<_, With>(&with).is_some());
    }

    #[test]
    fn any_bytes_are_what_they_are_to_postcard(
        bytes in vec(prop_oneof![any::<u8>(), Just(0), Just(1), Just(0x80), 0..20_u8], 0..60),
    ) {
        macro_rules! read {
            ($($type:ty),+) => {$(
                let value = [&bytes[..], &[0]].concat();
                assert_same(decode::<$type>(&value).ok(), &postcard_reads(&bytes), stringify!($type));
            )+};
        }
        read!(Vec<u8>, Vec<i8>, Vec<bool>, Vec<u32>, Vec<Vec<u16>>, Option<Vec<u64>>, (u32, Vec<i8>, u16), String);
        read!(Vec<i128>, BTreeMap<u8, Vec<u8>>, Variant, Vec<Variant>, (u128, i128, i64, i16), (u16, u64, Vec<usize>));
    }
}
