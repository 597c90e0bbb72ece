//! Values to bytes.

use super::block::{self, Links};
use super::error::{Cause, CodecError};
use super::numbers;
use super::varint::{self, zigzag_64, zigzag_128};
use crate::job::own;
use crate::wire::writer::{Full, Writer};
use serde::ser::{self, Serialize};
use std::fmt::{Display, Write};

type Done = Result<(), CodecError>;

/// Appends a value.
pub(super) struct Serializer<'w, 'a> {
    out: &'w mut Writer<'a>,
    links: Links,
}

impl<'w, 'a> Serializer<'w, 'a> {
    #[inline]
    pub(super) fn new(out: &'w mut Writer<'a>) -> Self {
        let start = out.written();
        Self { out, links: Links::new(start) }
    }

    #[inline]
    pub(super) fn finish(self) -> Done {
        self.links.finish(self.out).map_err(full)
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) -> Done {
        self.out.extend(bytes).map_err(full)
    }

    #[inline]
    fn varint(&mut self, value: u64) -> Done {
        if value < 0x80 { self.extend(&[value as u8]) } else { self.long_varint(value) }
    }

    // Of its own, so that what is inlined stays small.
    fn long_varint(&mut self, value: u64) -> Done {
        let (bytes, length) = varint::of_64(value);
        self.extend(&bytes[..length])
    }

    fn varint_128(&mut self, value: u128) -> Done {
        let (bytes, length) = varint::of_128(value);
        self.extend(&bytes[..length])
    }

    #[inline]
    fn length(&mut self, length: Option<usize>) -> Done {
        self.varint(length.ok_or(Cause::LengthUnknown)? as u64)
    }
}

fn full(_: Full) -> CodecError {
    Cause::Full.into()
}

macro_rules! integers {
    ($($method:ident $number:ident $value:ident => $varint:expr;)+) => {$(
        #[inline]
        fn $method(self, $value: $number) -> Done {
            self.varint($varint)
        }
    )+};
}

impl ser::Serializer for &mut Serializer<'_, '_> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    integers! {
        serialize_u16 u16 v => v.into();
        serialize_u32 u32 v => v.into();
        serialize_u64 u64 v => v;
        serialize_i16 i16 v => zigzag_64(v.into());
        serialize_i32 i32 v => zigzag_64(v.into());
        serialize_i64 i64 v => zigzag_64(v);
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, v: bool) -> Done {
        self.extend(&[v.into()])
    }

    #[inline]
    fn serialize_u8(self, v: u8) -> Done {
        self.extend(&[v])
    }

    #[inline]
    fn serialize_i8(self, v: i8) -> Done {
        self.extend(&v.to_le_bytes())
    }

    #[inline]
    fn serialize_u128(self, v: u128) -> Done {
        self.varint_128(v)
    }

    #[inline]
    fn serialize_i128(self, v: i128) -> Done {
        self.varint_128(zigzag_128(v))
    }

    #[inline]
    fn serialize_f32(self, v: f32) -> Done {
        self.extend(&v.to_le_bytes())
    }

    #[inline]
    fn serialize_f64(self, v: f64) -> Done {
        self.extend(&v.to_le_bytes())
    }

    #[inline]
    fn serialize_char(self, v: char) -> Done {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Done {
        self.serialize_bytes(v.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Done {
        self.varint(v.len() as u64)?;
        self.extend(v)
    }

    #[inline]
    fn serialize_none(self) -> Done {
        self.extend(&[0])
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.extend(&[1])?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Done {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Done {
        self.varint(index.into())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Done {
        own::answer(name, || value.serialize(self))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        self.varint(index.into())?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, CodecError> {
        self.length(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, CodecError> {
        self.varint(index.into())?;
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self, CodecError> {
        self.serialize_seq(length)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self, CodecError> {
        self.serialize_tuple_variant(name, index, variant, length)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        let mut text = String::new();
        if write!(text, "{value}").is_err() {
            return Err(ser::Error::custom("its Display returned an error"));
        }
        self.serialize_str(&text)
    }

    /// What `Vec`, slices and other containers write themselves with.
    #[inline]
    fn collect_seq<I>(self, elements: I) -> Done
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        if let Some((kind, memory)) = numbers::memory_of(&elements) {
            if kind.is_plain() {
                numbers::is_copied();
                self.varint((memory.len() / kind.size()) as u64)?;
                return self.extend(memory);
            }
            if memory.len() >= block::LEAST {
                numbers::is_copied();
                return self.links.write(kind, memory, self.out).map_err(full);
            }
        }
        let mut elements = elements.into_iter();
        let length = match elements.size_hint() {
            (least, Some(most)) if least == most => Some(least),
            _ => None,
        };
        self.length(length)?;
        elements.try_for_each(|element| element.serialize(&mut *self))
    }
}

macro_rules! parts {
    ($($part:ident: $method:ident($($name:ident: $type:ty)?);)+) => {$(
        impl ser::$part for &mut Serializer<'_, '_> {
            type Ok = ();
            type Error = CodecError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Done {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Done {
                Ok(())
            }
        }
    )+};
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(_key: &'static str);
    SerializeStructVariant: serialize_field(_key: &'static str);
}

impl ser::SerializeMap for &mut Serializer<'_, '_> {
    type Ok = ();
    type Error = CodecError;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(&mut **self)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut **self)
    }

    #[inline]
    fn end(self) -> Done {
        Ok(())
    }
}
