//! More shapes than those of the zoo: generic types, containers in containers, what the standard library has, and large
//! values. Each comes to what postcard makes of it.

use super::oracle::{as_postcard, goes_there_and_back};
use proptest::collection::{btree_map, hash_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::ffi::{CString, OsString};
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroI128, NonZeroU8, Saturating};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Table<K: Ord, V> {
    name: String,
    columns: BTreeMap<K, Column<V>>,
    unit: Unit,
    marker: PhantomData<V>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Column<V> {
    Empty,
    Dense(Vec<V>),
    Sparse { at: Vec<u32>, values: Box<[V]>, more: Option<Box<Column<V>>> },
    Chunks(Vec<Vec<V>>, [Option<Vec<V>>; 2]),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

/// Some of which are blocks, and some empty.
fn numbers<T: Arbitrary + Clone + 'static>() -> impl Strategy<Value = Vec<T>> {
    prop_oneof![Just(Vec::new()), vec(any::<T>(), 0..4), vec(any::<T>(), 4..70)]
}

fn column<V: Arbitrary + Clone + 'static>() -> impl Strategy<Value = Column<V>> {
    let sparse =
        (numbers(), numbers()).prop_map(|(at, values)| Column::Sparse { at, values: values.into(), more: None });
    let options = [proptest::option::of(numbers()), proptest::option::of(numbers())];
    let leaf = prop_oneof![
        Just(Column::Empty),
        numbers().prop_map(Column::Dense),
        sparse,
        (vec(numbers(), 0..4), options).prop_map(|(chunks, options)| Column::Chunks(chunks, options)),
    ];
    leaf.prop_recursive(3, 4, 1, |inner| {
        (numbers(), numbers(), inner).prop_map(|(at, values, inner)| Column::Sparse {
            at,
            values: values.into(),
            more: Some(Box::new(inner)),
        })
    })
}

fn table<K, V>() -> impl Strategy<Value = Table<K, V>>
where
    K: Arbitrary + Ord + Clone + 'static,
    V: Arbitrary + Clone + 'static,
{
    (".{0,12}", btree_map(any::<K>(), column(), 0..4)).prop_map(|(name, columns)| Table {
        name,
        columns,
        unit: Unit,
        marker: PhantomData,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 48 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn generic_types(
        a in table::<u8, u16>(),
        b in table::<String, i64>(),
        c in table::<(u32, bool), u8>(),
        d in table::<Option<i32>, u128>(),
        e in table::<char, usize>(),
    ) {
        goes_there_and_back(&a);
        goes_there_and_back(&b);
        goes_there_and_back(&c);
        goes_there_and_back(&d);
        goes_there_and_back(&e);
        goes_there_and_back(&(a, Some((b, c)), [Ok::<_, String>(d), Err("no".to_owned())], e));
    }

    #[test]
    fn containers_in_containers(
        deep in vec(vec(vec(numbers::<u32>(), 0..3), 0..3), 0..3),
        options in vec(proptest::option::of(vec(proptest::option::of(numbers::<i16>()), 0..4)), 0..4),
        keys in btree_map(numbers::<u64>(), vec(numbers::<i8>(), 0..4), 0..4),
        hashed in hash_map(".{0,5}", (numbers::<i32>(), numbers::<bool>()), 0..4),
        sets in vec(proptest::collection::btree_set(numbers::<u16>(), 0..4), 0..3),
        tuples in vec((any::<u8>(), numbers::<u64>(), (numbers::<char>(), numbers::<i128>())), 0..4),
    ) {
        goes_there_and_back(&deep);
        goes_there_and_back(&options);
        goes_there_and_back(&keys);
        goes_there_and_back(&hashed);
        goes_there_and_back(&sets);
        goes_there_and_back(&tuples);
        // Nested vectors that are read as other containers, and the reverse.
        prop_assert!(as_postcard::<_, VecDeque<BTreeSet<Vec<VecDeque<u64>>>>>(&deep).is_some());
        prop_assert!(as_postcard::<_, Vec<(VecDeque<u64>, Vec<Vec<i8>>)>>(&keys).is_some());
        prop_assert!(as_postcard::<_, Vec<(String, (VecDeque<i64>, Vec<bool>))>>(&hashed).is_some());
    }
}

#[test]
fn types_of_the_standard_library() {
    goes_there_and_back(&(Duration::new(7, 999_999_999), UNIX_EPOCH + Duration::from_secs(1 << 33)));
    assert!(as_postcard::<_, SystemTime>(&SystemTime::now()).is_some());
    // These are texts in formats for people.
    goes_there_and_back::<[IpAddr; 2]>(&[[127, 0, 0, 1].into(), [1_u16; 8].into()]);
    goes_there_and_back(&[SocketAddr::from(([127, 0, 0, 1], 80)), SocketAddr::from(([300_u16; 8], 65_535))]);
    goes_there_and_back(&(1..7_u64, -1..=1_i8, ..5_u32, Bound::Included(3_u16), Bound::<u8>::Unbounded));
    goes_there_and_back(&(Box::<str>::from("ü"), Cow::Borrowed("text"), CString::from(c"bytes"), OsString::from("os")));
    goes_there_and_back(&(PathBuf::from("/a path"), String::new(), '\u{10ffff}', [Some('ß'), None]));
    goes_there_and_back(&(NonZeroU8::MAX, NonZeroI128::MIN, Saturating(7_u16), Reverse(vec![7_i64; 9])));
    goes_there_and_back(&(Cell::new(7_u32), RefCell::new(vec![7_u16; 50]), Unit, PhantomData::<u8>, ((), ((),))));
    goes_there_and_back(&(u128::MAX, i128::MIN, usize::MAX, isize::MIN, f32::MIN_POSITIVE, f64::INFINITY, true));
    goes_there_and_back(&([300_u16; 32], [[1.5_f32; 3]; 32], [(); 5], [(1_u8, vec![2_u64; 8]), (3, Vec::new())]));
    goes_there_and_back(&(1_u8, 2_u16, 3_u32, 4_u64, 5_i8, 6_i16, 7_i32, 8_i64, 9.0_f32, "x".to_owned(), 11_u8, 12_u8));
    goes_there_and_back(&HashMap::from([(vec![1_u32; 20], Some(vec![2_u8])), (Vec::new(), None)]));
    assert!(as_postcard::<_, u64>(&AtomicU64::new(1 << 40)).is_some());
    assert!(as_postcard::<_, Vec<u32>>(&BinaryHeap::from([3, 1, 2].repeat(40))).is_some());
}

#[test]
fn large_values() {
    let count = if cfg!(miri) { 100 } else { 10_000 };
    let numbers: Vec<u32> = (0..count).map(|number| number * 40_503).collect();
    let wide: Vec<i64> = numbers.iter().map(|number| -i64::from(*number) << 20).collect();
    let bytes: Vec<u8> = numbers.iter().map(|number| *number as u8).collect();
    let floats: Vec<f64> = numbers.iter().map(|number| f64::from(*number) / 7.0).collect();
    goes_there_and_back(&(numbers.clone(), "between".to_owned(), wide.clone()));
    goes_there_and_back(&(bytes, Some(floats)));
    assert!(as_postcard::<_, VecDeque<u64>>(&numbers).is_some());
    let rows: Vec<Vec<u32>> = numbers.chunks(33).map(<[u32]>::to_vec).collect();
    goes_there_and_back(&rows);
    // As many small ones, none of which is a block.
    let rows: Vec<Vec<u32>> = numbers.chunks(3).map(<[u32]>::to_vec).collect();
    goes_there_and_back(&rows);
}
