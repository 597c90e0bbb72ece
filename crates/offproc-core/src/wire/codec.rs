//! Values as bytes: postcard, bounded while it writes and complete when it reads.

use serde::{Serialize, de::DeserializeOwned};
use std::any::type_name;

/// Appends a value to `out`, which may become `limit` bytes long.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>, limit: usize) -> Result<(), String> {
    match postcard::serialize_with_flavor(value, Bounded { out, limit }) {
        Ok(()) => Ok(()),
        Err(postcard::Error::SerializeBufferFull) => Err(format!(
            "a value of type `{}` takes more than the frame limit of {limit} bytes; raise it with `frame_limit`",
            type_name::<T>()
        )),
        Err(e) => Err(format!("a value of type `{}` could not be serialised: {e}", type_name::<T>())),
    }
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
                e => e.to_string(),
            }
        )),
    }
}

/// Writes to a buffer up to a limit.
struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
}

impl postcard::ser_flavors::Flavor for Bounded<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        if data.len() > self.limit - self.out.len().min(self.limit) {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.out.extend_from_slice(data);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        if self.out.len() >= self.limit {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.out.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
