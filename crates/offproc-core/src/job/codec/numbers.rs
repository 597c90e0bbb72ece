//! Vectors and slices of numbers, recognised among all types, as the bytes that they are in memory.
//!
//! serde has no method for them: it goes through their elements. But their types can be seen by their ids: that of what
//! `collect_seq` is called with, and that of the visitor with which a `Vec` asks for a sequence. In a release build
//! these comparisons are constants. Should serde change what it does, nothing is recognised, and all is written and
//! read one by one, as any other sequence; the tests of the codec would say so.
#![allow(unsafe_code)]

use super::varint::zigzag_128;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;
use std::any::TypeId;
use std::fmt;
use std::mem::ManuallyDrop;

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    U8,
    I8,
    Bool,
    F32,
    F64,
    U16,
    U32,
    U64,
    U128,
    I16,
    I32,
    I64,
    I128,
}

use Kind::*;

/// Those of `usize` and `isize`.
const USIZE: Kind = if size_of::<usize>() == 8 { U64 } else { U32 };
const ISIZE: Kind = if size_of::<isize>() == 8 { I64 } else { I32 };

macro_rules! for_numbers {
    ($do:ident) => {
        $do! {
            u8 U8, i8 I8, bool Bool, f32 F32, f64 F64, u16 U16, u32 U32, u64 U64, u128 U128, i16 I16, i32 I32, i64 I64,
            i128 I128, usize USIZE, isize ISIZE,
        }
    };
}

impl Kind {
    /// Whether postcard writes such numbers as they are in memory, and not as varints.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        matches!(self, U8 | I8 | Bool | F32 | F64)
    }

    /// Of one number, in bytes.
    #[inline]
    pub(super) fn size(self) -> usize {
        match self {
            U8 | I8 | Bool => 1,
            U16 | I16 => 2,
            F32 | U32 | I32 => 4,
            F64 | U64 | I64 => 8,
            U128 | I128 => 16,
        }
    }

    /// A number in memory as the value of the varint that postcard has for it.
    pub(super) fn raw(self, number: &[u8]) -> u128 {
        let is_signed = matches!(self, I16 | I32 | I64 | I128);
        let is_negative = is_signed && number.last().is_some_and(|byte| *byte >= 0x80);
        let mut bytes = [if is_negative { 0xff } else { 0 }; 16];
        bytes[..number.len()].copy_from_slice(number);
        if is_signed { zigzag_128(i128::from_le_bytes(bytes)) } else { u128::from_le_bytes(bytes) }
    }

    /// The kind of varints that this byte stands for.
    pub(super) fn of_varints(byte: u8) -> Option<Self> {
        [U16, U32, U64, U128, I16, I32, I64, I128].into_iter().find(|kind| *kind as u8 == byte)
    }
}

#[cfg(test)]
std::thread_local! {
    /// How many vectors and slices were written, or read, by one copy.
    pub(super) static COPIES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// For tests: a vector or a slice is written, or read, by one copy.
#[inline(always)]
pub(super) fn is_copied() {
    #[cfg(test)]
    COPIES.set(COPIES.get() + 1);
}

/// The memory of numbers that `collect_seq` was called with, if it is a slice or a vector of them.
#[inline(always)]
pub(super) fn memory_of<I>(elements: &I) -> Option<(Kind, &[u8])> {
    // References to such: nothing else is looked at, which spares a debug build most of the comparisons.
    if size_of::<I>() != size_of::<&[u8]>() && size_of::<I>() != size_of::<&Vec<u8>>() {
        return None;
    }
    let (kind, memory) = recognise(typeid::of::<I>())?;
    // SAFETY: the ids are equal, so `I` is, apart from its lifetime, the reference that `memory` reads. There is a
    // value of it, which lives for as long as it is borrowed here, and so does what it refers to. Numbers and `bool`
    // have no padding, so each of their bytes is initialised, and a byte needs no alignment.
    Some((kind, unsafe { &*memory(std::ptr::from_ref(elements).cast()) }))
}

/// Reads the reference at this address: where its numbers are, and how many bytes.
type Memory = unsafe fn(reference: *const ()) -> *const [u8];

#[inline]
fn recognise(reference: TypeId) -> Option<(Kind, Memory)> {
    // Numbers are in memory as they travel on systems that have the lowest byte first.
    if cfg!(target_endian = "big") {
        return None;
    }
    macro_rules! compare {
        ($($number:ident $kind:ident,)+) => {$(
            if reference == TypeId::of::<&'static Vec<$number>>() {
                return Some(($kind, of_vec::<$number>));
            }
            if reference == TypeId::of::<&'static [$number]>() {
                return Some(($kind, of_slice::<$number>));
            }
        )+};
    }
    for_numbers!(compare);
    None
}

/// # Safety
///
/// At this address is a `&Vec<T>`.
#[inline]
unsafe fn of_vec<T>(reference: *const ()) -> *const [u8] {
    // SAFETY: the caller ensures it.
    bytes_of(unsafe { *reference.cast::<&Vec<T>>() })
}

/// # Safety
///
/// At this address is a `&[T]`.
#[inline]
unsafe fn of_slice<T>(reference: *const ()) -> *const [u8] {
    // SAFETY: the caller ensures it.
    bytes_of(unsafe { *reference.cast::<&[T]>() })
}

#[inline]
fn bytes_of<T>(numbers: &[T]) -> *const [u8] {
    std::ptr::slice_from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers))
}

/// The kind of numbers of which this visitor makes a `Vec`, if it is the one with which a `Vec` of them asks.
#[inline(always)]
pub(super) fn asked_for<'de, V: Visitor<'de>>() -> Option<Kind> {
    if size_of::<V::Value>() != size_of::<Vec<u8>>() {
        return None;
    }
    kind_of(typeid::of::<V::Value>(), typeid::of::<V>())
}

#[inline]
fn kind_of(value: TypeId, visitor: TypeId) -> Option<Kind> {
    // A type may have a visitor of its own that makes such a `Vec`, in which the numbers are others.
    macro_rules! compare {
        ($($number:ident $kind:ident,)+) => {$(
            if value == TypeId::of::<Vec<$number>>() {
                return if Some(visitor) == visitor_of::<$number>() { Some($kind) } else { None };
            }
        )+};
    }
    for_numbers!(compare);
    None
}

/// The visitor with which a `Vec<T>` asks for a sequence.
#[inline(always)]
fn visitor_of<T: for<'a> Deserialize<'a>>() -> Option<TypeId> {
    match Vec::<T>::deserialize(Probe) {
        Err(Seen(visitor)) => visitor,
        Ok(_) => None,
    }
}

/// A deserializer that has nothing, but sees who asks.
struct Probe;

#[derive(Debug)]
struct Seen(Option<TypeId>);

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Seen {}

impl Error for Seen {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

impl<'de> Deserializer<'de> for Probe {
    type Error = Seen;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Seen> {
        Err(Seen(None))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Seen> {
        Err(Seen(Some(typeid::of::<V>())))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Whether these bytes can be numbers of this kind: whole ones, and of `bool`s no third.
#[inline]
pub(super) fn are(kind: Kind, bytes: &[u8]) -> bool {
    // All bytes are looked at, as that takes less time than to stop early.
    bytes.len() % kind.size() == 0 && (kind != Bool || bytes.iter().fold(0, |all, byte| all | byte) <= 1)
}

/// The vector of the numbers in `bytes`, if `V` is a vector of numbers.
#[inline]
pub(super) fn vector<V>(bytes: &[u8]) -> Option<V> {
    macro_rules! read {
        (@numbers u8) => {
            bytes.to_vec()
        };
        (@numbers bool) => {
            bytes.iter().map(|byte| *byte != 0).collect()
        };
        // One copy in a release build.
        (@numbers $number:ident) => {{
            let read = |bytes: &[u8]| {
                bytes.first_chunk().map_or($number::default(), |bytes| $number::from_le_bytes(*bytes))
            };
            bytes.chunks_exact(size_of::<$number>()).map(read).collect()
        }};
        ($($number:ident $kind:ident,)+) => {$(
            if typeid::of::<V>() == TypeId::of::<Vec<$number>>() {
                return same::<Vec<$number>, V>(read!(@numbers $number));
            }
        )+};
    }
    for_numbers!(read);
    None
}

/// A value as the type that it is of.
#[inline(always)]
pub(super) fn same<T: 'static, V>(value: T) -> Option<V> {
    if typeid::of::<V>() != TypeId::of::<T>() {
        return None;
    }
    let value = ManuallyDrop::new(value);
    // SAFETY: the ids are equal, so `V` is `T`, apart from lifetimes, and `T` has none. The original is not dropped.
    Some(unsafe { std::mem::transmute_copy::<T, V>(&value) })
}
