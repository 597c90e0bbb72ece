//! [`SharedBytes`] as the buffers of other crates, which keep its memory alive.

use super::shared_bytes::SharedBytes;

/// Without a copy: the `Bytes` keeps the shared memory, and is aligned as that is.
///
/// The other way is a copy, [`SharedBytes::copy_from_slice`].
#[cfg_attr(docsrs, doc(cfg(feature = "bytes")))]
impl From<SharedBytes> for bytes::Bytes {
    fn from(bytes: SharedBytes) -> Self {
        Self::from_owner(bytes)
    }
}

/// Without a copy: the `Buffer` keeps the shared memory, and is aligned as that is, as Arrow recommends.
///
/// The other way is a copy, [`SharedBytes::copy_from_slice`].
#[cfg(feature = "arrow")]
#[cfg_attr(docsrs, doc(cfg(feature = "arrow")))]
impl From<SharedBytes> for arrow_buffer::Buffer {
    fn from(bytes: SharedBytes) -> Self {
        bytes::Bytes::from(bytes).into()
    }
}
