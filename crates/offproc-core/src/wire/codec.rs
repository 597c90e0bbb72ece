//! Values as bytes: postcard, bounded while it writes and complete when it reads.

use super::attachments;
use super::bounded::{Bounded, Budget};
use super::writer::Writer;
use crate::sys::stack;
use postcard::de_flavors::{Flavor, Slice};
use serde::{Serialize, de::DeserializeOwned};
use std::any::type_name;

/// Appends a value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Writer<'_>) -> Result<(), String> {
    match postcard::serialize_with_flavor(value, &mut *out) {
        Ok(()) => Ok(()),
        Err(postcard::Error::SerializeBufferFull) => Err(match out.take_error() {
            Some(e) => format!("there is no memory for a value of type `{}`: {e}", type_name::<T>()),
            None => format!(
                "a value of type `{}` takes more bytes than the context's `frame_limit` allows",
                type_name::<T>()
            ),
        }),
        Err(e) => {
            let reason = attachments::take_reason().unwrap_or_else(|| e.to_string());
            Err(format!("a value of type `{}` could not be serialised: {reason}", type_name::<T>()))
        }
    }
}

/// Appends a value to a private buffer, without a limit.
pub(crate) fn encode_to<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), String> {
    let written = out.len();
    encode(value, &mut Writer::new(out, written, usize::MAX).map_err(|e| e.to_string())?)
}

/// Reads a value that takes up all of `bytes`.
#[inline]
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut deserializer = postcard::Deserializer::from_flavor(Shallow::new(bytes));
    let budget = Budget::of(bytes.len());
    let value = T::deserialize(Bounded::new(&mut deserializer, &budget));
    match value.and_then(|value| Ok((value, deserializer.finalize()?))) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(not_all_read(type_name::<T>(), rest.len(), bytes.len())),
        Err(e) => Err(not_read(type_name::<T>(), e)),
    }
}

#[cold]
fn not_all_read(type_name: &str, rest: usize, all: usize) -> String {
    format!("a value of type `{type_name}` does not round-trip: its Deserialize left {rest} of {all} bytes unread")
}

#[cold]
fn not_read(type_name: &str, e: postcard::Error) -> String {
    let reason = match e {
        postcard::Error::WontImplement => "it needs a self-describing format (untagged enums, `deserialize_any` and \
            the like); convert it before the call"
            .to_owned(),
        e => attachments::take_reason().unwrap_or_else(|| e.to_string()),
    };
    format!("a value of type `{type_name}` could not be deserialised: {reason}")
}

/// Bytes to read from, as long as the stack has room for what is read: a few bytes from a worker can be a value that
/// is a million deep, where a type contains itself.
struct Shallow<'a> {
    bytes: Slice<'a>,
    start: usize,
}

impl<'a> Shallow<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Slice::new(bytes), start: stack::here() }
    }

    #[cold]
    fn look_closer(&self) -> postcard::Result<()> {
        if stack::has_room(self.start) {
            return Ok(());
        }
        attachments::note("it is nested too deeply for the stack of this thread");
        Err(postcard::Error::SerdeDeCustom)
    }

    #[inline]
    fn check(&self) -> postcard::Result<()> {
        if self.start.saturating_sub(stack::here()) < stack::LITTLE { Ok(()) } else { self.look_closer() }
    }
}

impl<'a> Flavor<'a> for Shallow<'a> {
    type Remainder = &'a [u8];
    type Source = &'a [u8];

    // Each level of a value has at least a byte that tells whether there is another.
    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        self.check()?;
        self.bytes.pop()
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.bytes.size_hint()
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'a [u8]> {
        self.bytes.try_take_n(count)
    }

    fn finalize(self) -> postcard::Result<&'a [u8]> {
        self.bytes.finalize()
    }
}

#[cfg(test)]
mod tests;
