//! Values as bytes: postcard, bounded while it writes and complete when it reads.

use super::attachments;
use super::writer::Writer;
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
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!(
            "a value of type `{}` does not round-trip: its Deserialize left {} of {} bytes unread",
            type_name::<T>(),
            rest.len(),
            bytes.len()
        )),
        Err(e) => Err(format!(
            "a value of type `{}` could not be deserialised: {}",
            type_name::<T>(),
            match e {
                postcard::Error::WontImplement => "it needs a self-describing format (untagged enums, \
                    `deserialize_any` and the like); convert it before the call"
                    .to_owned(),
                e => attachments::take_reason().unwrap_or_else(|| e.to_string()),
            }
        )),
    }
}

#[cfg(test)]
mod tests;
