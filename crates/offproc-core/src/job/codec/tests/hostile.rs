//! Bytes that no value comes to: what they may cost, and that they are what they are to postcard.

use super::bytes_of;
use super::oracle::{assert_same, postcard_reads};
use crate::job::codec::{decode, encode};
use crate::wire::writer::Writer;
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

thread_local! {
    /// What each sequence takes its length to be.
    static HINTS: RefCell<Vec<Option<usize>>> = const { RefCell::new(Vec::new()) };
}

/// A sequence that takes as much memory as it has elements by its length.
#[derive(Debug)]
struct Greedy<T>(#[expect(dead_code, reason = "only read")] Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Greedy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All<T>(Vec<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for All<T> {
            type Value = Greedy<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }
            fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Greedy<T>, A::Error> {
                HINTS.with_borrow_mut(|hints| hints.push(elements.size_hint()));
                while let Some(element) = elements.next_element()? {
                    self.0.push(element);
                }
                Ok(Greedy(self.0))
            }
        }
        deserializer.deserialize_seq(All(Vec::new()))
    }
}

#[derive(Debug, Deserialize)]
struct Tree(#[expect(dead_code, reason = "only read")] Greedy<Tree>);

fn hints_of<T: DeserializeOwned>(value: &[u8]) -> Vec<Option<usize>> {
    HINTS.take();
    let _ = decode::<T>(value);
    HINTS.take()
}

#[test]
fn the_lengths_that_sequences_take_memory_for_come_to_no_more_than_the_bytes() {
    // A true one is passed on.
    assert_eq!(hints_of::<Greedy<u16>>(&bytes_of(&[300_u16; 50].as_slice())), [Some(50)]);
    assert_eq!(hints_of::<Greedy<u32>>(&bytes_of(&vec![3_u64; 50])), [Some(50)], "in a block");
    let rows = bytes_of(&vec![vec!["a", "b"]; 3]);
    assert_eq!(hints_of::<Greedy<Greedy<String>>>(&rows), [Some(3), Some(2), Some(2), Some(2)]);
    let rows = bytes_of(&vec![vec![-1_i32; 20]; 3]);
    assert_eq!(hints_of::<Greedy<Greedy<i32>>>(&rows), [Some(3), Some(20), Some(20), Some(20)]);
    // From the end of a block on: its last numbers, and the part behind it.
    let start: Vec<u16> = (0..62).chain([50, 1]).collect();
    type Across = (u8, [u16; 31], [u16; 31], Greedy<u8>);
    assert_eq!(hints_of::<Across>(&bytes_of(&(start, [1_u8; 32], [1_u8; 17]))), [Some(50)]);
    // A lie is not passed on.
    assert_eq!(hints_of::<Greedy<u16>>(&bytes_of(&u64::MAX)), []);
    assert_eq!(hints_of::<Greedy<u16>>(&[4, 1, 1, 1, 0]), [None]);
    // As many in each as there are bytes, of which each may be counted once only.
    let nested: Vec<u8> = (0..=100).rev().chain([0]).collect();
    let hints = hints_of::<Tree>(&nested);
    assert!(hints.len() > 50 && hints[0] == Some(100), "{hints:?}");
    assert!(hints.iter().flatten().sum::<usize>() <= nested.len(), "{hints:?}");
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only read")]
enum Variant {
    End,
    Newtype(Box<Variant>),
}

#[derive(Debug, Deserialize)]
struct Optional(#[expect(dead_code, reason = "only read")] Option<Box<Optional>>);

#[derive(Debug, Deserialize)]
struct Mapped(#[expect(dead_code, reason = "only read")] BTreeMap<(), Mapped>);

/// Says in a byte whether there is another in it.
#[derive(Debug)]
struct Tuple;

impl<'de> Deserialize<'de> for Tuple {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Next;
        impl<'de> Visitor<'de> for Next {
            type Value = Tuple;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one or two elements")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tuple, A::Error> {
                if elements.next_element::<bool>()? == Some(true) {
                    elements.next_element::<Tuple>()?;
                }
                Ok(Tuple)
            }
        }
        deserializer.deserialize_tuple(2, Next)
    }
}

#[test]
fn what_is_nested_without_an_end_is_refused() {
    fn check<T: DeserializeOwned + fmt::Debug>() {
        let nested = |depth| [[1].repeat(depth), vec![0, 0]].concat();
        decode::<T>(&nested(100)).unwrap();
        let error = decode::<T>(&nested(1_000_000)).unwrap_err();
        assert!(error.0.contains("nested too deeply"), "{error}");
    }
    check::<Variant>();
    check::<Optional>();
    check::<Mapped>();
    check::<Tuple>();
    check::<Tree>();
}

/// Whether these bytes come to what they come to with postcard.
fn is_as_postcard<T: DeserializeOwned + PartialEq + fmt::Debug>(bytes: &[u8]) {
    let value = [bytes, &[0]].concat();
    let what = format!("{bytes:?} as {}", std::any::type_name::<T>());
    assert_same(decode(&value).ok(), &postcard_reads::<T>(bytes), &what);
}

#[test]
fn integers_of_any_length_are_what_they_are_to_postcard() {
    let lengths = if cfg!(miri) { 2..4 } else { 0..20 };
    let lasts: Vec<u8> = (0..=255).step_by(if cfg!(miri) { 63 } else { 1 }).collect();
    for (length, fill) in lengths.flat_map(|length| [(length, 0x80), (length, 0xff)]) {
        for last in &lasts {
            let bytes = [vec![fill; length], vec![*last]].concat();
            is_as_postcard::<u16>(&bytes);
            is_as_postcard::<i16>(&bytes);
            is_as_postcard::<u32>(&bytes);
            is_as_postcard::<i32>(&bytes);
            is_as_postcard::<u64>(&bytes);
            is_as_postcard::<i64>(&bytes);
            is_as_postcard::<u128>(&bytes);
            is_as_postcard::<i128>(&bytes);
            is_as_postcard::<usize>(&bytes);
            is_as_postcard::<isize>(&bytes);
            is_as_postcard::<Result<(), ()>>(&bytes);
        }
    }
}

#[test]
fn all_short_inputs_are_what_they_are_to_postcard() {
    let check = |bytes: &[u8]| {
        is_as_postcard::<bool>(bytes);
        is_as_postcard::<(u8, i8)>(bytes);
        is_as_postcard::<Option<u8>>(bytes);
        is_as_postcard::<Result<u8, ()>>(bytes);
        is_as_postcard::<String>(bytes);
        is_as_postcard::<Vec<bool>>(bytes);
        is_as_postcard::<Vec<f32>>(bytes);
        is_as_postcard::<BTreeMap<u8, ()>>(bytes);
    };
    check(&[]);
    for first in 0..=if cfg!(miri) { 3 } else { u8::MAX } {
        check(&[first]);
        check(&[4, 0xf0, 0x9f, 0x92, first]);
        for second in [0, 1, 2, 3, 0x41, 0x7f, 0x80, 0xc3, 0xff] {
            check(&[first, second]);
            check(&[2, first, second]);
            check(&[first, second, 0xa9, 0, 0]);
        }
    }
}

#[test]
fn characters_are_one_each() {
    for text in ["a", "\0", "ß", "€", "\u{10ffff}", "", "ab", "\0\0", "aß", "abcd", "abcde", "ßßß"] {
        let mut characters = text.chars();
        // postcard takes the first of several.
        let alone = characters.next().filter(|_| characters.next().is_none());
        assert_eq!(decode::<char>(&bytes_of(&text)).ok(), alone, "{text:?}");
    }
    for bytes in [&[1, 0xff][..], &[2, 0xc3, 0x28], &[3, 0xed, 0xa0, 0x80], &[2, 0xc3], &[4, 0xf4, 0x90, 0x80, 0x80]] {
        is_as_postcard::<char>(bytes);
        is_as_postcard::<String>(bytes);
    }
}

#[test]
fn lengths_that_overflow_are_refused() {
    for length in [1_u64 << 60, 1 << 61, 1 << 62, 1 << 63, u64::MAX] {
        let bytes = bytes_of(&length);
        decode::<Vec<f32>>(&bytes).unwrap_err();
        decode::<Vec<f64>>(&bytes).unwrap_err();
        decode::<Vec<u128>>(&bytes).unwrap_err();
        decode::<(Vec<f64>, u8)>(&bytes).unwrap_err();
    }
}

#[test]
fn a_block_above_the_limit_is_refused() {
    let value = ("a text", vec![1_u64; 20], 7_u8, vec![-1_i16; 40]);
    let whole = bytes_of(&value);
    for limit in 0..whole.len() {
        let mut out = Vec::new();
        let error = encode(&value, &mut Writer::new(&mut out, 0, limit).unwrap()).unwrap_err();
        assert!(error.0.contains("max_message_size") && out.len() <= limit, "{limit}: {error}");
    }
    let mut out = Vec::new();
    encode(&value, &mut Writer::new(&mut out, 0, whole.len()).unwrap()).unwrap();
    assert_eq!(out, whole);
}
