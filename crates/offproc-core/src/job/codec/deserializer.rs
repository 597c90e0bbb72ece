//! Values from bytes.

use super::error::{Cause, CodecError};
use super::input::Input;
use super::numbers;
use super::varint::{unzigzag_64, unzigzag_128};
use crate::job::own;
use serde::de::value::U32Deserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

fn bad(what: &'static str) -> CodecError {
    Cause::Bad(what).into()
}

fn text(bytes: &[u8]) -> Result<&str, CodecError> {
    std::str::from_utf8(bytes).map_err(|_| bad("text that is not UTF-8"))
}

macro_rules! integers {
    ($($method:ident $visit:ident $number:ident $raw:ident => $value:expr;)+) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
            // No bits are lost, as it has no more than the type.
            let $raw = self.varint($number::BITS)?;
            visitor.$visit($value as $number)
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Input<'de> {
    type Error = CodecError;

    integers! {
        deserialize_u16 visit_u16 u16 v => v;
        deserialize_u32 visit_u32 u32 v => v;
        deserialize_u64 visit_u64 u64 v => v;
        deserialize_i16 visit_i16 i16 v => unzigzag_64(v);
        deserialize_i32 visit_i32 i32 v => unzigzag_64(v);
        deserialize_i64 visit_i64 i64 v => unzigzag_64(v);
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CodecError> {
        Err(Cause::NotSelfDescribing.into())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CodecError> {
        Err(Cause::NotSelfDescribing.into())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CodecError> {
        Err(Cause::NotSelfDescribing.into())
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(bad("a bool that is neither")),
        }
    }

    #[inline]
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u8(self.byte()?)
    }

    #[inline]
    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_i8(i8::from_le_bytes([self.byte()?]))
    }

    #[inline]
    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u128(self.varint_128()?)
    }

    #[inline]
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_i128(unzigzag_128(self.varint_128()?))
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_f32(f32::from_le_bytes(self.array()?))
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_f64(f64::from_le_bytes(self.array()?))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let length = self.length()?;
        if length > char::MAX.len_utf8() {
            return Err(bad("a character that is too long"));
        }
        let gathered;
        let bytes = match self.take(length) {
            Some(bytes) => bytes,
            None => {
                gathered = self.gather(length)?;
                &gathered
            }
        };
        let mut characters = text(bytes)?.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => visitor.visit_char(character),
            _ => Err(bad("a character that is none, or several")),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let length = self.length()?;
        match self.take(length) {
            Some(bytes) => visitor.visit_borrowed_str(text(bytes)?),
            None => visitor.visit_str(text(&self.gather(length)?)?),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let length = self.length()?;
        match self.take(length) {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes),
            None => visitor.visit_byte_buf(self.gather(length)?),
        }
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.byte()? {
            0 => visitor.visit_none(),
            1 => {
                self.descend()?;
                visitor.visit_some(self)
            }
            _ => Err(bad("an option that is neither")),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    /// A type asks by this whether the format is offproc's own: it is.
    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        if name == own::NAME { visitor.visit_some(self) } else { visitor.visit_newtype_struct(self) }
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let kind = numbers::asked_for::<V>();
        if let Some(vector) = kind.and_then(|kind| self.vector_of_block(kind)) {
            return Ok(vector);
        }
        let length = self.length()?;
        if let Some(vector) = kind.and_then(|kind| self.vector(kind, length)) {
            return Ok(vector);
        }
        visitor.visit_seq(Elements::of(self, length)?)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.descend()?;
        visitor.visit_seq(Elements { input: self, left: length })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.deserialize_tuple(length, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let length = self.length()?;
        visitor.visit_map(Elements::of(self, length)?)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.descend()?;
        visitor.visit_enum(self)
    }
}

/// What is left of a sequence, a map or a tuple.
struct Elements<'d, 'de> {
    input: &'d mut Input<'de>,
    left: usize,
}

impl<'d, 'de> Elements<'d, 'de> {
    /// Those of a sequence or a map, which says itself how many it has.
    #[inline]
    fn of(input: &'d mut Input<'de>, length: usize) -> Result<Self, CodecError> {
        input.spend(length)?;
        input.descend()?;
        Ok(Self { input, left: length })
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.input).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.input.is_bounded(self.left).then_some(self.left)
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        SeqAccess::next_element_seed(self, seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(&mut *self.input)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        SeqAccess::size_hint(self)
    }
}

impl<'de> EnumAccess<'de> for &mut Input<'de> {
    type Error = CodecError;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), CodecError> {
        let index = self.varint(u32::BITS)? as u32;
        Ok((seed.deserialize(U32Deserializer::<CodecError>::new(index))?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Input<'de> {
    type Error = CodecError;

    #[inline]
    fn unit_variant(self) -> Result<(), CodecError> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, CodecError> {
        Deserializer::deserialize_tuple(self, length, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}
