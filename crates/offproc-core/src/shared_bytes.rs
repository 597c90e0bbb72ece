//! Bytes that are not copied on their way.

use crate::sys::sealed::Sealed;
use crate::wire::attachments::{self, Reference};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// An immutable buffer of bytes that travels to workers and back without being copied.
///
/// It lies in sealed memory, which both sides map: as an argument or a result, alone or anywhere inside other types,
/// only a descriptor is sent. A worker keeps the mapping of a buffer for as long as the caller has it, so the same
/// buffer sent again costs nothing. Clones share the memory.
///
/// Outside a call (in JSON, in a file), it serialises as plain bytes.
///
/// # Platform-specific behaviour
///
/// On the stream transport it is copied, with the same result.
///
/// # Examples
///
/// ```
/// use offproc::SharedBytes;
///
/// let bytes = SharedBytes::copy_from_slice(b"many bytes")?;
/// assert_eq!(bytes.len(), 10);
/// let ramp = SharedBytes::fill(256, |bytes| {
///     for (i, byte) in bytes.iter_mut().enumerate() {
///         *byte = i as u8;
///     }
/// })?;
/// assert_eq!(ramp[255], 255);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SharedBytes(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    id: u64,
    memory: Sealed,
}

impl SharedBytes {
    /// A buffer with a copy of these bytes.
    ///
    /// # Errors
    ///
    /// The system has no memory, or no descriptor, for it.
    pub fn copy_from_slice(bytes: &[u8]) -> io::Result<Self> {
        Self::fill(bytes.len(), |memory| memory.copy_from_slice(bytes))
    }

    /// A buffer of this length, all zeroes, that `fill` may write to before it becomes immutable.
    ///
    /// # Errors
    ///
    /// The system has no memory, or no descriptor, for it.
    pub fn fill(length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        Sealed::create(length, fill).map(Self::new)
    }

    pub(crate) fn new(memory: Sealed) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Shared { id: LAST.fetch_add(1, Ordering::Relaxed) + 1, memory }))
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn memory(&self) -> &Sealed {
        &self.0.memory
    }

    pub(crate) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.0)
    }

    /// True when both are the same memory.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.memory.bytes()
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
        self.is(other) || **self == **other
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

/// How a buffer is written inside a call, where both sides know which of the two to expect.
#[derive(Serialize, Deserialize)]
enum InCall<'a> {
    #[serde(borrow)]
    Copied(Plain<'a>),
    Shared(Reference),
}

/// Bytes as serde's bytes, not as a sequence of numbers.
struct Plain<'a>(std::borrow::Cow<'a, [u8]>);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Plain<'de>, E> {
        Ok(Plain(bytes.into()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Plain<'de>, E> {
        Ok(Plain(bytes.to_vec().into()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Plain<'de>, E> {
        Ok(Plain(bytes.into()))
    }

    // Formats without bytes, JSON for one, have a sequence of numbers.
    fn visit_seq<S: SeqAccess<'de>>(self, mut numbers: S) -> Result<Plain<'de>, S::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(Plain(bytes.into()))
    }
}

impl Serialize for SharedBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = Plain((&**self).into());
        if serializer.is_human_readable() || !attachments::is_sending() {
            return plain.serialize(serializer);
        }
        match attachments::lend(self).map_err(serde::ser::Error::custom)? {
            Some(reference) => InCall::Shared(reference).serialize(serializer),
            None => InCall::Copied(plain).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SharedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let in_call = if deserializer.is_human_readable() || !attachments::is_receiving() {
            InCall::Copied(Plain::deserialize(deserializer)?)
        } else {
            InCall::deserialize(deserializer)?
        };
        match in_call {
            InCall::Copied(plain) => attachments::receive_copy(&plain.0).map_err(D::Error::custom),
            InCall::Shared(reference) => attachments::borrow(&reference).map_err(D::Error::custom),
        }
    }
}
