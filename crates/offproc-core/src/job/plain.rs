//! Bytes as serde's bytes, in any format.

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Bytes as serde's bytes, not as a sequence of numbers.
pub(super) struct Plain<'a>(pub(super) Cow<'a, [u8]>);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(PlainVisitor)
    }
}

pub(super) struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Plain<'de>, E> {
        Ok(Plain(bytes.into()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Plain<'de>, E> {
        Ok(Plain(bytes.to_vec().into()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Plain<'de>, E> {
        Ok(Plain(bytes.into()))
    }

    // Formats without bytes, such as JSON, have a sequence of numbers.
    fn visit_seq<S: SeqAccess<'de>>(self, mut numbers: S) -> Result<Plain<'de>, S::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(Plain(bytes.into()))
    }
}
