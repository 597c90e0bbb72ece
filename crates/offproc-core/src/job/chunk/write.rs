//! The parent writes a chunk.

use super::layout::{ChunkBounds, HEADER};
use crate::error::EncodeError;
use crate::job::codec;
use crate::wire::writer::{Full, Writer};
use serde::Serialize;

/// Writes as many items as there is room for, and no other once there are `enough` bytes. Returns how many: an item
/// that cannot be encoded behind others may be the first of the next chunk.
///
/// # Errors
///
/// The first item cannot be encoded, or is too large.
pub(crate) fn write_items<'a, A: Serialize + 'a>(
    items: impl Iterator<Item = &'a A>,
    bounds: ChunkBounds,
    enough: usize,
    out: &mut Writer<'_>,
) -> Result<usize, EncodeError> {
    let full = |Full| EncodeError("the context's `max_message_size` has no room for a chunk".to_owned());
    out.extend(&bounds.to_bytes()).map_err(full)?;
    let mut count = 0;
    for item in items {
        let start = out.written();
        let written = out.extend(&[0; HEADER]).map_err(full).and_then(|()| codec::encode(item, out));
        match written {
            Ok(()) => out.patch(start, ((out.written() - start - HEADER) as u64).to_le_bytes()),
            Err(error) if count == 0 => return Err(error),
            Err(_) => {
                out.truncate(start);
                break;
            }
        }
        count += 1;
        if out.written() >= enough {
            break;
        }
    }
    Ok(count)
}
