//! Values as bytes: postcard's format, in which long vectors of integers are blocks of memory, with a bound on what is
//! written, and a check that all bytes are read. docs/wire-format.md says why it is not the crate postcard that writes
//! and reads it.

mod block;
mod deserializer;
mod error;
mod input;
mod numbers;
mod serializer;
mod varint;

use crate::error::{DecodeError, EncodeError};
use crate::wire::writer::{Full, Writer};
use error::CodecError;
use input::Input;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serializer::Serializer;
use std::any::type_name;
use std::io;

/// Appends a value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Writer<'_>) -> Result<(), EncodeError> {
    match write(value, out) {
        Ok(()) => Ok(()),
        Err(e) if e.is_full() => Err(no_room(type_name::<T>(), out.take_error())),
        Err(e) => Err(not_written(type_name::<T>(), &e)),
    }
}

/// Appends a value; false without a reason.
#[inline]
pub(crate) fn try_encode<T: Serialize>(value: &T, out: &mut Writer<'_>) -> bool {
    write(value, out).is_ok()
}

/// Appends what a value of this type was encoded to.
pub(crate) fn append<T>(encoded: &[u8], out: &mut Writer<'_>) -> Result<(), EncodeError> {
    out.extend(encoded).map_err(|Full| no_room(type_name::<T>(), out.take_error()))
}

/// Appends a value to a private buffer, without a limit.
pub(crate) fn encode_to<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let written = out.len();
    encode(value, &mut Writer::new(out, written, usize::MAX).map_err(|e| EncodeError(e.to_string()))?)
}

/// Appends a message of offproc's own to a private buffer. The error is that of the part which cannot be sent.
pub(crate) fn encode_own<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let written = out.len();
    let mut writer = Writer::new(out, written, usize::MAX).map_err(|e| EncodeError(e.to_string()))?;
    write(message, &mut writer).map_err(|e| EncodeError(e.to_string()))
}

#[inline]
fn write<T: Serialize + ?Sized>(value: &T, out: &mut Writer<'_>) -> Result<(), CodecError> {
    let mut serializer = Serializer::new(out);
    value.serialize(&mut serializer)?;
    serializer.finish()
}

/// Reads a value that takes up all of `bytes`.
#[inline]
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let Some(mut input) = Input::new(bytes) else { return Err(no_value(type_name::<T>())) };
    match T::deserialize(&mut input) {
        Ok(value) if input.left() == 0 => Ok(value),
        Ok(_) => Err(not_all_read(type_name::<T>(), input.left(), bytes.len().saturating_sub(1))),
        Err(e) => Err(not_read(type_name::<T>(), &e)),
    }
}

/// The number at the start of a value, whatever follows.
pub(crate) fn first(bytes: &[u8]) -> Option<u128> {
    u128::deserialize(&mut Input::of_postcard(bytes)).ok()
}

#[cold]
fn no_room(type_name: &str, out_of_memory: Option<io::Error>) -> EncodeError {
    EncodeError(match out_of_memory {
        Some(e) => format!("there is no memory for a value of type `{type_name}`: {e}"),
        None => format!("a value of type `{type_name}` takes more bytes than the context's `max_message_size` allows"),
    })
}

#[cold]
fn not_written(type_name: &str, e: &CodecError) -> EncodeError {
    EncodeError(format!("a value of type `{type_name}` could not be serialised: {e}"))
}

#[cold]
fn no_value(type_name: &str) -> DecodeError {
    DecodeError(format!("a value of type `{type_name}` could not be deserialised: its end is missing"))
}

#[cold]
fn not_all_read(type_name: &str, rest: usize, all: usize) -> DecodeError {
    DecodeError(format!(
        "a value of type `{type_name}` does not round-trip: its Deserialize left {rest} of {all} bytes unread"
    ))
}

#[cold]
fn not_read(type_name: &str, e: &CodecError) -> DecodeError {
    DecodeError(format!("a value of type `{type_name}` could not be deserialised: {e}"))
}

#[cfg(test)]
mod tests;
