//! The layout of a chunk, and of its answer.
//!
//! A chunk is its bounds, and then the items, each behind its length. Its answer is one entry for each item that has
//! run, and at the end how long they took: a header, whose bits say what follows, and the bytes. A fold has entries of
//! failures alone, and how many other items there were.

use std::time::Duration;

/// The size of an item's length, and of an entry's header.
pub(super) const HEADER: usize = 8;
/// In a header: the bytes are a failure, not a result.
pub(super) const FAILED: u64 = 1 << 63;
/// In a header: in place of the length are nanoseconds, and there are no bytes. Behind it, a fold has its value.
pub(super) const TIME: u64 = 1 << 62;
/// In a header: so many more items were folded, and there are no bytes.
pub(super) const FOLDED: u64 = FAILED | TIME;
/// The bits of the length, or of the time.
pub(super) const VALUE: u64 = TIME - 1;

/// Where a chunk ends before its last item: it returns the rest of its items untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkBounds {
    /// Once its items have run for this long.
    pub time: Option<Duration>,
    /// Once its results have so many bytes. The worker also ends it where its answer would become too large.
    pub bytes: usize,
}

impl ChunkBounds {
    pub(super) const SIZE: usize = 16;

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        let time = self.time.map_or(u64::MAX, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&time.to_le_bytes());
        bytes[8..].copy_from_slice(&(self.bytes as u64).to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let time = Some(number(0)).filter(|time| *time != u64::MAX).map(Duration::from_nanos);
        Self { time, bytes: usize::try_from(number(8)).unwrap_or(usize::MAX) }
    }
}

/// How large the answer to a chunk may be, where a message may have `limit` bytes: the worker begins no item once it
/// has more than one message, and the result of the last one may be as large.
pub(crate) fn most_bytes(limit: usize) -> usize {
    const SLACK: usize = 1 << 12;
    limit.saturating_mul(2).saturating_add(SLACK)
}

/// Splits the first header off.
#[inline]
pub(super) fn split_header(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    Some((u64::from_le_bytes(*header), rest))
}
