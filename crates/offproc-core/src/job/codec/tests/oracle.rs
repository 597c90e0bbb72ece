//! What postcard does with the same values.

use super::bytes_of;
use crate::job::codec::decode;
use crate::job::codec::input::Input;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::fmt::Debug;

/// A value's content as it comes to a reader of bytes: that of blocks unpacked.
pub(super) fn content(value: &[u8]) -> Vec<u8> {
    let mut input = Input::new(value).expect("a value");
    let mut bytes = Vec::new();
    while input.left() > 0 {
        bytes.push(input.byte().expect("a byte"));
    }
    bytes
}

pub(super) fn postcard_reads<D: DeserializeOwned>(bytes: &[u8]) -> Option<D> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

/// Writes one type and reads another: it comes to what postcard makes of it, value or error.
pub(super) fn as_postcard<S: Serialize + ?Sized, D: DeserializeOwned + PartialEq + Debug>(value: &S) -> Option<D> {
    let plain = postcard::to_allocvec(value).expect("postcard writes it");
    let bytes = bytes_of(&value);
    assert_eq!(content(&bytes), plain);
    let expected = postcard_reads::<D>(&plain);
    assert_same(decode(&bytes).ok(), &expected, type_name::<D>());
    expected
}

/// What is not a number equals nothing, itself included, and prints the same.
pub(super) fn assert_same<D: PartialEq + Debug>(read: Option<D>, expected: &Option<D>, what: &str) {
    if read != *expected {
        assert_eq!(format!("{read:?}"), format!("{expected:?}"), "{what}");
    }
}

/// Writes and reads the same type, alone and between others, where it would show if too many or too few bytes were
/// read.
pub(super) fn goes_there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    assert_eq!(as_postcard::<_, T>(value).as_ref(), Some(value));
    let around = (7_u32, Some(value), [value, value], 300_u16);
    assert!(as_postcard::<_, (u32, Option<T>, [T; 2], u16)>(&around).is_some());
    let many = [value, value, value];
    assert!(as_postcard::<_, Vec<T>>(&many[..]).is_some());
}
