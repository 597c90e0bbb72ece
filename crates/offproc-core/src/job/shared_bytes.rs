//! Bytes that are not copied on their way.

use super::attachments::{self, Reference};
use super::own;
use super::plain::{Plain, PlainVisitor};
use super::reason;
use super::shared_buffer::{SharedBuffer, not_mapped};
use crate::sys::sealed::Sealed;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::ops::Deref;

/// An immutable buffer of bytes that travels to workers and back without being copied.
///
/// It lies in sealed memory, which both sides map: as an argument or a result, alone or anywhere inside other types,
/// only a descriptor is sent. A worker keeps the mapping of a buffer for as long as the caller has it, so the same
/// buffer sent again costs nothing. Clones share the memory.
///
/// Its first byte is aligned to 64 bytes at least, in each process that has it, however it got there: enough for the
/// vectors of any CPU. With the feature `bytemuck` a `SharedSlice` has it as numbers; with `bytes` and `arrow` it
/// becomes a `bytes::Bytes` or an `arrow_buffer::Buffer`, which keeps the memory alive, without a copy.
///
/// Outside a call (in JSON, in a file), it serialises as plain bytes; so it does in another format inside an argument
/// or a result, such as JSON that a `Serialize` of your own packs.
///
/// # Platform-specific behaviour
///
/// On the stream transport it is copied, with the same result. So is a buffer that was made where the system has no
/// such memory, has no descriptor left, or has a limit on the size of files (`RLIMIT_FSIZE`, `ulimit -f`) below its
/// length.
///
/// # Examples
///
/// ```
/// use offproc::SharedBytes;
///
/// let bytes = SharedBytes::copy_from_slice(b"many bytes")?;
/// assert_eq!(bytes.len(), 10);
/// let ramp = SharedBytes::from_fn(256, |bytes| {
///     for (i, byte) in bytes.iter_mut().enumerate() {
///         *byte = i as u8;
///     }
/// })?;
/// assert_eq!(ramp[255], 255);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SharedBytes(SharedBuffer);

impl SharedBytes {
    /// A buffer with a copy of these bytes.
    ///
    /// # Errors
    ///
    /// The system has no memory for it.
    pub fn copy_from_slice(bytes: &[u8]) -> io::Result<Self> {
        Self::from_fn(bytes.len(), |memory| memory.copy_from_slice(bytes))
    }

    /// A buffer of this length, all zeroes, that `fill` may write to before it becomes immutable.
    ///
    /// # Errors
    ///
    /// The system has no memory for it; or `fill` has forked this process, and this is the fork, which has no part in
    /// the buffer.
    #[doc(alias = "fill")]
    pub fn from_fn(length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        let memory = Sealed::create(length, fill).map_err(|e| not_mapped(length, e))?;
        Ok(Self(SharedBuffer::new(memory)))
    }

    /// The former name of [`from_fn`](Self::from_fn).
    ///
    /// # Errors
    ///
    /// As `from_fn`.
    #[doc(hidden)]
    pub fn fill(length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        Self::from_fn(length, fill)
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.memory().bytes()
    }
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl TryFrom<&[u8]> for SharedBytes {
    type Error = io::Error;

    fn try_from(bytes: &[u8]) -> io::Result<Self> {
        Self::copy_from_slice(bytes)
    }
}

impl PartialEq for SharedBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&other.0) || **self == **other
    }
}

impl Eq for SharedBytes {}

impl std::hash::Hash for SharedBytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBytes({} bytes)", self.len())
    }
}

/// A buffer in offproc's own format; in all others it is plain bytes.
#[derive(Serialize, Deserialize)]
enum InCall<'a> {
    #[serde(borrow)]
    Copied(Plain<'a>),
    Shared(Reference),
}

impl Serialize for SharedBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Plain((&**self).into()).serialize(serializer);
        }
        serializer.serialize_newtype_struct(own::NAME, &InBinary(self))
    }
}

/// A buffer in a binary format, own or not.
struct InBinary<'a>(&'a SharedBytes);

impl Serialize for InBinary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = Plain((&**self.0).into());
        if !own::is_asked() {
            return plain.serialize(serializer);
        }
        match attachments::lend(&self.0.0).map_err(serde::ser::Error::custom)? {
            Some(reference) => InCall::Shared(reference).serialize(serializer),
            None => InCall::Copied(plain).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SharedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return copied(&Plain::deserialize(deserializer)?);
        }
        deserializer.deserialize_newtype_struct(own::NAME, InBinaryVisitor)
    }
}

fn copied<E: serde::de::Error>(plain: &Plain<'_>) -> Result<SharedBytes, E> {
    let memory = Sealed::copy_of_received(&plain.0).map_err(|e| not_mapped(plain.0.len(), e));
    reason::noted(memory).map(|memory| SharedBytes(SharedBuffer::new(memory))).map_err(E::custom)
}

struct InBinaryVisitor;

impl<'de> Visitor<'de> for InBinaryVisitor {
    type Value = SharedBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_some<D: Deserializer<'de>>(self, own: D) -> Result<SharedBytes, D::Error> {
        match InCall::deserialize(own)? {
            InCall::Copied(plain) => copied(&plain),
            InCall::Shared(reference) => attachments::borrow(&reference).map(SharedBytes).map_err(D::Error::custom),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, other: D) -> Result<SharedBytes, D::Error> {
        copied(&Plain::deserialize(other)?)
    }

    // Self-describing formats call the method for what they contain, whatever was requested.
    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<SharedBytes, E> {
        copied(&Plain(bytes.into()))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, numbers: S) -> Result<SharedBytes, S::Error> {
        copied(&PlainVisitor.visit_seq(numbers)?)
    }
}
