//! Small items of plain types, which go without a buffer of their own.

use super::receiver::ItemReceiver;
use crate::error::DecodeError;
use crate::job::codec;
use crate::wire::writer::{Room, Writer};
use serde::{Serialize, de::DeserializeOwned};
use std::io;
use std::mem::needs_drop;

/// The most bytes of one.
const MOST: usize = 64;
/// The largest type: its values fit as a rule.
const LARGEST: usize = 32;

/// An item that needs no buffer.
#[derive(Debug)]
pub struct SmallItem;

/// Whether values of this type are small. They have no attachments: whatever owns one has something to drop.
const fn is_small<T>() -> bool {
    size_of::<T>() <= LARGEST && !needs_drop::<T>()
}

impl SmallItem {
    /// What `send` makes of an item's bytes, which stay where they are on the stack: a copy would have to
    /// wait for the single writes. `None` if the item is not small, or cannot be serialised.
    #[inline]
    pub fn send<T: Serialize, S>(item: &T, send: impl FnOnce(&[u8]) -> S) -> Option<S> {
        if !is_small::<T>() {
            return None;
        }
        let mut bytes = [0; MOST];
        let mut writer = Writer::new(&mut bytes, 0, MOST).ok()?;
        let is_encoded = codec::try_encode(item, &mut writer);
        let length = writer.written();
        drop(writer);
        is_encoded.then(|| send(&bytes[..length]))
    }

    /// The next item, if it is there already, and its type and what has come are small.
    #[inline]
    pub fn receive<T: DeserializeOwned>(from: &mut ItemReceiver) -> Option<Result<T, DecodeError>> {
        if !is_small::<T>() {
            return None;
        }
        let mut bytes = [0; MOST];
        let length = from.take_small(&mut bytes)?;
        Some(codec::decode(&bytes[..length]))
    }
}

impl Room for [u8; MOST] {
    #[inline]
    fn grow(&mut self, _: usize, needed: usize) -> io::Result<(*mut u8, usize)> {
        if needed > MOST {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok((self.as_mut_ptr(), MOST))
    }
}
