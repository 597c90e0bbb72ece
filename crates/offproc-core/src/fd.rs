//! Descriptors as arguments and results.

use crate::wire::attachments;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::os::fd::{AsFd, OwnedFd};

/// A file, a socket, or any other type around a descriptor, as an argument or a result of a call, alone or anywhere
/// inside other types.
///
/// The other side gets a duplicate: of the same open file, with the same position. A call, and an answer, can carry
/// [`Fd::MOST`] of them. Outside a call it cannot be serialised, which is an error that says so.
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
    pub const MOST: usize = attachments::MOST;
}

impl<T: AsFd> Serialize for Fd<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachments::attach(self.0.as_fd()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: From<OwnedFd>> Deserialize<'de> for Fd<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at = u32::deserialize(deserializer)?;
        attachments::detach(at).map(|fd| Self(fd.into())).map_err(D::Error::custom)
    }
}
