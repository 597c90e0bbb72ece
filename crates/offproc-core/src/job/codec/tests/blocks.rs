//! Values with blocks, and what a hostile other side may make of them.

use super::bytes_of;
use super::oracle::as_postcard;
use crate::job::codec::decode;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet, HashSet, LinkedList, VecDeque};
use std::fmt;

/// A block without its gap.
fn block(count: u64, kind: u8, numbers: &[u8]) -> Vec<u8> {
    [&count.to_le_bytes()[..], &[kind], numbers].concat()
}

/// A value of parts and, between them, blocks.
fn value(parts: &[&[u8]], blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut value = parts[0].to_vec();
    let first = value.len() as u64;
    for (i, block) in blocks.iter().enumerate() {
        let part = parts[i + 1];
        let gap = if i + 1 < blocks.len() { part.len() as u64 } else { u64::MAX };
        value = [&value[..], &gap.to_le_bytes(), block, part].concat();
    }
    if blocks.is_empty() { [value, vec![0]].concat() } else { [&value[..], &first.to_le_bytes(), &[1]].concat() }
}

#[test]
fn the_layout_is_the_documented_one() {
    let numbers = vec![0x0102_0304_u32; 16];
    let memory: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let expected = value(&[&[7], &[3, 9, 9, 9], &[5]], &[block(16, 6, &memory), block(16, 6, &memory)]);
    assert_eq!(bytes_of(&(7_u8, &numbers, [9_u8; 3].as_slice(), &numbers, 5_u8)), expected);
    // Behind other bytes of the same message, such as the head of a frame.
    let mut behind = vec![1, 2, 3];
    crate::job::codec::encode_to(&(7_u8, &numbers, [9_u8; 3].as_slice(), &numbers, 5_u8), &mut behind).unwrap();
    assert_eq!(behind[3..], expected);
}

#[test]
fn no_two_vectors_are_mixed_up() {
    let value = (vec![1_u32; 20], vec![2_u32; 20], vec![3_u16; 40], vec![4_u8; 3], vec![-5_i64; 9]);
    assert_eq!(as_postcard::<_, (Vec<u32>, Vec<u32>, Vec<u16>, Vec<u8>, Vec<i64>)>(&value), Some(value));
}

/// Other readers of integers than a `Vec` of the same type find them one by one.
#[test]
fn other_readers_get_the_numbers_one_by_one() {
    let numbers: Vec<u32> = (0..64).map(|number| number * 1_000_003).collect();
    assert!(as_postcard::<_, VecDeque<u32>>(&numbers).is_some());
    assert!(as_postcard::<_, LinkedList<u64>>(&numbers).is_some());
    assert!(as_postcard::<_, BTreeSet<u32>>(&numbers).is_some());
    assert!(as_postcard::<_, HashSet<u128>>(&numbers).is_some());
    assert!(as_postcard::<_, Vec<usize>>(&numbers).is_some());
    assert!(
        as_postcard::<_, (u8, [u32; 32], [u32; 32])>(&numbers).is_some(),
        "postcard's own length, as the first field"
    );
    assert!(as_postcard::<_, Vec<u16>>(&numbers).is_none(), "they are too large");
    let small = vec![65_u16; 100];
    assert_eq!(as_postcard::<_, String>(&small).unwrap(), "A".repeat(100));
    assert_eq!(as_postcard::<_, Vec<u8>>(&small).unwrap(), [65; 100]);
    assert_eq!(as_postcard::<_, serde_bytes_of::Bytes>(&small).unwrap().0, [65; 100]);
    let pairs: Vec<u64> = std::iter::once(50).chain(0..100).collect();
    assert!(as_postcard::<_, (u8, BTreeMap<u64, u64>)>(&pairs).is_some());
    assert!(as_postcard::<_, (Vec<i16>, Vec<i32>)>(&(vec![-1_i16; 64], vec![-2_i16; 64])).is_some());
    // A vector whose length is in one block, in front of another block.
    let inner: Vec<u16> = std::iter::once(63).chain(1..64).collect();
    assert!(as_postcard::<_, (u8, Vec<u32>, Vec<u32>)>(&(inner, vec![7_u32; 32])).is_some());
    // A float that begins in a part and ends in a block.
    type Numbers = ([u16; 32], [u16; 32], [u16; 32], [u8; 3]);
    assert!(as_postcard::<_, (u8, f32, Numbers)>(&(1_u8, 2_u8, vec![1_u16; 101])).is_some());
}

/// Bytes, without a crate for them.
mod serde_bytes_of {
    use serde::de::{Deserialize, Deserializer, Error, Visitor};
    use std::fmt;

    #[derive(Debug, PartialEq)]
    pub(super) struct Bytes(pub(super) Vec<u8>);

    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Any;
            impl Visitor<'_> for Any {
                type Value = Bytes;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                    Ok(Bytes(bytes.to_vec()))
                }
            }
            deserializer.deserialize_bytes(Any)
        }
    }
}

/// Written as a slice, and read by a visitor of its own that makes a `Vec`, too.
#[derive(Debug, PartialEq)]
struct Reversed(Vec<u32>);

impl Serialize for Reversed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.iter().rev().copied().collect::<Vec<_>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reversed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Back;
        impl<'de> Visitor<'de> for Back {
            type Value = Vec<u32>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<u32>, A::Error> {
                let mut all = VecDeque::new();
                while let Some(number) = numbers.next_element()? {
                    all.push_front(number);
                }
                Ok(all.into())
            }
        }
        deserializer.deserialize_seq(Back).map(Self)
    }
}

#[test]
fn a_visitor_of_its_own_is_not_taken_for_that_of_a_vector() {
    let value = Reversed((0..100).collect());
    assert_eq!(as_postcard::<_, Reversed>(&value), Some(value));
}

#[test]
fn reading_in_place_is_not_taken_for_a_vector() {
    for numbers in [vec![1_u32, 2], (0..100).collect()] {
        let bytes = bytes_of(&numbers);
        let mut place = vec![9_u32; 50];
        let mut input = crate::job::codec::Input::new(&bytes).unwrap();
        Deserialize::deserialize_in_place(&mut input, &mut place).unwrap();
        assert_eq!((place, input.left()), (numbers, 0));
    }
}

#[test]
fn a_sequence_that_is_left_early_is_an_error() {
    /// Reads two numbers of a sequence.
    #[derive(Debug)]
    struct FirstTwo;

    impl<'de> Deserialize<'de> for FirstTwo {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Two;
            impl<'de> Visitor<'de> for Two {
                type Value = FirstTwo;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("numbers")
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<FirstTwo, A::Error> {
                    numbers.next_element::<u32>()?;
                    numbers.next_element::<u32>()?;
                    Ok(FirstTwo)
                }
            }
            deserializer.deserialize_seq(Two)
        }
    }

    let error = decode::<FirstTwo>(&bytes_of(&vec![1_u32; 100])).unwrap_err();
    assert!(error.0.contains("does not round-trip"), "{error}");
}

#[test]
fn nan_keeps_its_bits() {
    fn back<T: Serialize + serde::de::DeserializeOwned>(value: T) -> T {
        decode(&bytes_of(&value)).unwrap()
    }
    for bits in [0x7ff8_0000_0000_0001_u64, 0xfff0_0000_0000_0001, 0x7ff4_0000_0000_0000, 1, 1 << 63] {
        let number = f64::from_bits(bits);
        assert_eq!(back(number).to_bits(), bits);
        assert_eq!(back((Some(number), 1_u8)).0.unwrap().to_bits(), bits);
        assert_eq!(back([number; 3]).map(f64::to_bits), [bits; 3]);
        assert!(back(vec![number; 40]).into_iter().all(|number| number.to_bits() == bits));
        assert!(back(VecDeque::from(vec![number; 40])).into_iter().all(|number| number.to_bits() == bits));
    }
    for bits in [0x7fc0_0001_u32, 0xff80_0001, 0x7fa0_0000, 1, 1 << 31] {
        let number = f32::from_bits(bits);
        assert_eq!(back(number).to_bits(), bits);
        assert_eq!(back([number; 3]).map(f32::to_bits), [bits; 3]);
        assert!(back(vec![number; 40]).into_iter().all(|number| number.to_bits() == bits));
        assert!(back(VecDeque::from(vec![number; 40])).into_iter().all(|number| number.to_bits() == bits));
    }
}

#[test]
fn blocks_that_lie_are_errors() {
    let memory = [7; 64];
    let good = value(&[&[], &[]], &[block(16, 6, &memory)]);
    assert_eq!(decode::<Vec<u32>>(&good).unwrap().len(), 16);
    let lies = [
        // Counts of more than there is, some of which overflow.
        value(&[&[], &[]], &[block(17, 6, &memory)]),
        value(&[&[], &[]], &[block(1 << 62, 6, &memory)]),
        value(&[&[], &[]], &[block(u64::MAX, 6, &memory)]),
        value(&[&[], &[]], &[block(1 << 62, 6, &[])]),
        value(&[&[], &[]], &[block(1 << 60, 8, &[])]),
        // Kinds that no block has, or none has at all.
        value(&[&[], &[]], &[block(16, 0, &memory)]),
        value(&[&[], &[]], &[block(16, 3, &memory)]),
        value(&[&[], &[]], &[block(16, 13, &memory)]),
        value(&[&[], &[]], &[block(16, 255, &memory)]),
        // A block that is not whole.
        value(&[&[], &[]], &[vec![1, 2, 3]]),
        value(&[&[], &[]], &[vec![]]),
        // Something behind it.
        value(&[&[], &[1]], &[block(16, 6, &memory)]),
        // Ends that are none, or point elsewhere.
        [&good[..good.len() - 1], &[2]].concat(),
        [&good[..good.len() - 9], &1_u64.to_le_bytes(), &[1]].concat(),
        [&good[..good.len() - 9], &82_u64.to_le_bytes(), &[1]].concat(),
        [&good[..good.len() - 9], &u64::MAX.to_le_bytes(), &[1]].concat(),
        [0_u64.to_le_bytes().as_slice(), &[1]].concat(),
        vec![1],
        vec![],
        // A gap that leads beyond the end.
        [&[9; 8], &good[8..]].concat(),
    ];
    for lie in lies {
        decode::<Vec<u32>>(&lie).unwrap_err();
        decode::<VecDeque<u32>>(&lie).unwrap_err();
        decode::<(Vec<u32>, u8, Vec<u16>)>(&lie).unwrap_err();
        let _ = decode::<String>(&lie);
    }
    // An end of an unknown kind behind what would be a value.
    decode::<u8>(&[3, 0]).unwrap();
    decode::<u8>(&[3, 2]).unwrap_err();
    // A block of nothing is a sequence of nothing.
    let nothing = value(&[&[], &[]], &[block(0, 6, &[])]);
    assert!(decode::<Vec<u32>>(&nothing).unwrap().is_empty());
    assert!(decode::<VecDeque<u32>>(&nothing).unwrap().is_empty());
}

#[test]
fn a_text_of_any_length_takes_no_memory_for_what_is_not_there() {
    let endless: Vec<u64> = std::iter::once(u64::MAX).chain(std::iter::repeat_n(1, 100)).collect();
    decode::<(u8, String)>(&bytes_of(&endless)).unwrap_err();
    decode::<(u8, Vec<u8>)>(&bytes_of(&endless)).unwrap_err();
}
