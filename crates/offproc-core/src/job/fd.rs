//! Descriptors as arguments and results.

use super::reason::noted;
use super::{attachments, own};
use crate::sys::gifts::{self, AsGift, BorrowedGift, Gift, MAX_FDS};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A file, a socket, or any other type around a descriptor, as an argument or a result of a call, alone or anywhere
/// inside other types.
///
/// On Windows it is a file or another handle, or a socket: one of std's types for them, or a reference to one.
///
/// The other side gets a duplicate: of the same open file, with the same position. A call, and an answer, can carry
/// [`Fd::MOST`] of them. Serialising it outside a call is an error that says so; so is serialising it in another format
/// inside an argument or a result (such as JSON that a `Serialize` of your own packs).
///
/// # Examples
///
/// ```
/// use offproc::Fd;
/// use std::fs::File;
///
/// fn length(file: Fd<File>) -> u64 {
///     file.0.metadata().unwrap().len()
/// }
/// # let _ = length as fn(Fd<File>) -> u64;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd<T>(pub T);

impl Fd<()> {
    /// How many descriptors one call, or one answer, can carry; those of [`SharedBytes`](crate::SharedBytes) count.
    pub const MOST: usize = 128;
}

const _: () = assert!(Fd::MOST == MAX_FDS);

impl<T: AsGift> Serialize for Fd<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(own::NAME, &Attached(gifts::borrow(&self.0)))
    }
}

/// A descriptor, as its number among those that go with a message.
struct Attached<'a>(BorrowedGift<'a>);

impl Serialize for Attached<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = if own::is_asked() { attachments::attach(self.0) } else { Err(attachments::refuse_descriptor()) };
        at.map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: TryFrom<Gift, Error: fmt::Display>> Deserialize<'de> for Fd<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let gift = deserializer.deserialize_newtype_struct(own::NAME, AttachedVisitor)?;
        let taken = T::try_from(gift).map_err(|e| std::io::Error::other(e.to_string()));
        noted(taken).map(Self).map_err(D::Error::custom)
    }
}

struct AttachedVisitor;

impl<'de> Visitor<'de> for AttachedVisitor {
    type Value = Gift;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a descriptor that goes with a call")
    }

    fn visit_some<D: Deserializer<'de>>(self, own: D) -> Result<Gift, D::Error> {
        attachments::detach(u32::deserialize(own)?).map_err(D::Error::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Gift, D::Error> {
        Err(D::Error::custom(attachments::refuse_descriptor()))
    }
}
