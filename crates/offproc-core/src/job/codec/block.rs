//! Vectors of numbers as memory within a value that is postcard otherwise.
//!
//! postcard writes bytes, floats and `bool` as they are in memory, but integers of two and more bytes as varints. A
//! long vector of those is written as a *block* instead, and every byte of the value that is not part of a block is
//! what postcard writes. The blocks are linked: the end of the value says where the first is, and each how far it is to
//! the next. So no byte of another value can be taken for a block, or the reverse.
//!
//! ```text
//! value    nothing, if postcard has no bytes for it; else parts and blocks, in turn, and then
//!          0                    there is no block
//!          first: u64, 1        the first begins at this offset
//! block    gap: u64             how many bytes the part behind it has up to the next block; all ones: no other follows
//!          count: u64           of its numbers
//!          kind: u8
//!          numbers              as they are in memory, the lowest byte first
//! ```
//!
//! A reader that asks for another thing than such a vector finds in its place, byte by byte, what postcard would have
//! written ([`Unpacked`]).

use super::numbers::Kind;
use super::varint;
use crate::wire::writer::{Full, Writer};

/// From this many bytes on, a vector of integers is a block.
pub(super) const LEAST: usize = 64;
/// There is no other block.
const NONE: u64 = u64::MAX;

/// The links of a value that is being written.
pub(super) struct Links {
    /// Where the value begins.
    start: usize,
    /// Where the first block is in the value.
    first: u64,
    /// Where the last block's gap is, and where the block ends.
    last: (usize, usize),
}

impl Links {
    #[inline]
    pub(super) fn new(start: usize) -> Self {
        Self { start, first: NONE, last: (0, 0) }
    }

    /// Writes a block.
    pub(super) fn write(&mut self, kind: Kind, numbers: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        let at = out.written();
        if self.first == NONE {
            self.first = (at - self.start) as u64;
        } else {
            out.patch(self.last.0, ((at - self.last.1) as u64).to_le_bytes());
        }
        out.extend(&NONE.to_le_bytes())?;
        out.extend(&((numbers.len() / kind.size()) as u64).to_le_bytes())?;
        out.extend(&[kind as u8])?;
        out.extend(numbers)?;
        self.last = (at, out.written());
        Ok(())
    }

    /// Writes the end of the value.
    #[inline]
    pub(super) fn finish(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        // A call without an argument or a result need not copy a byte.
        if out.written() == self.start {
            return Ok(());
        }
        if self.first == NONE {
            return out.extend(&[0]);
        }
        out.extend(&self.first.to_le_bytes())?;
        out.extend(&[1])
    }
}

/// The first part of a value, and what follows: a block and all behind it, or nothing. `None`: it has no such end.
#[inline]
pub(super) fn open(value: &[u8]) -> Option<(&[u8], &[u8])> {
    match value.split_last() {
        None => Some((&[], &[])),
        Some((0, part)) => Some((part, &[])),
        Some((1, value)) => {
            let (value, first) = value.split_last_chunk()?;
            split(value, u64::from_le_bytes(*first))
        }
        Some(_) => None,
    }
}

fn split(bytes: &[u8], gap: u64) -> Option<(&[u8], &[u8])> {
    if gap == NONE { Some((bytes, &[])) } else { bytes.split_at_checked(usize::try_from(gap).ok()?) }
}

/// A block that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'de> {
    pub(super) kind: Kind,
    pub(super) numbers: &'de [u8],
    /// The part behind it.
    pub(super) part: &'de [u8],
    /// The next block and all behind it, or nothing.
    pub(super) rest: &'de [u8],
}

impl<'de> Block<'de> {
    /// The block at the start of these bytes; `None`: there is none.
    pub(super) fn first(bytes: &'de [u8]) -> Option<Self> {
        let (gap, bytes) = bytes.split_first_chunk()?;
        let (count, bytes) = bytes.split_first_chunk()?;
        let (kind, bytes) = bytes.split_first()?;
        let kind = Kind::of_varints(*kind)?;
        let size = usize::try_from(u64::from_le_bytes(*count)).ok()?.checked_mul(kind.size())?;
        let (numbers, bytes) = bytes.split_at_checked(size)?;
        let (part, rest) = split(bytes, u64::from_le_bytes(*gap))?;
        Some(Self { kind, numbers, part, rest })
    }
}

/// A block as the bytes that postcard has for its numbers: their count, and each of them, as varints.
#[derive(Debug)]
pub(super) struct Unpacked<'de> {
    pub(super) block: Block<'de>,
    /// The varint that is being read, and which of its bytes are left.
    varint: [u8; 19],
    at: usize,
    end: usize,
}

impl<'de> Unpacked<'de> {
    pub(super) fn new(block: Block<'de>) -> Self {
        let (varint, end) = varint::of_128((block.numbers.len() / block.kind.size()) as u128);
        Self { block, varint, at: 0, end }
    }

    /// The next byte, and whether it is the last.
    pub(super) fn next(&mut self) -> (u8, bool) {
        let byte = self.varint[self.at];
        self.at += 1;
        let mut is_last = false;
        if self.at == self.end {
            match self.block.numbers.split_at_checked(self.block.kind.size()) {
                Some((number, rest)) => {
                    (self.varint, self.end) = varint::of_128(self.block.kind.raw(number));
                    (self.at, self.block.numbers) = (0, rest);
                }
                None => is_last = true,
            }
        }
        (byte, is_last)
    }

    /// How many bytes are unread up to the next block: at least one, and otherwise those of numbers as in memory.
    pub(super) fn left(&self) -> usize {
        self.end - self.at + self.block.numbers.len() + self.block.part.len()
    }
}
