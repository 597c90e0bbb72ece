//! Large buffers. Pages of other sizes need a privilege here.

use std::collections::TryReserveError;

/// Makes room for `more` bytes.
///
/// # Errors
///
/// There is no memory.
pub(crate) fn reserve(buffer: &mut Vec<u8>, more: usize) -> Result<(), TryReserveError> {
    buffer.try_reserve_exact(more)
}
