//! The bytes of a value, which may lie: a worker writes what it likes.
//!
//! Nothing is allocated for a length before there are bytes for it, of which each counts once. Elements without bytes,
//! such as those of a `LinkedList<()>`, would go on for as long as their length says, so the elements of all sequences
//! and maps together are counted. And where a value may contain itself, a few bytes can be a value that is nested a
//! million deep, so each level looks whether the stack has room.

use super::block::{self, Block, Unpacked};
use super::error::{Cause, CodecError};
use super::numbers::{self, Kind};
use crate::sys::stack;

/// How many elements without bytes one value may have.
const FREE: usize = 1 << 20;

/// Reads what postcard would have written: a block comes as the bytes of its numbers, unless a vector of such numbers
/// is asked for.
#[derive(Debug)]
pub(super) struct Input<'de> {
    /// The part that is being read, and how much of it was. Empty within a block, so that only what finds no byte here
    /// has to look further.
    part: &'de [u8],
    at: usize,
    /// The block that is being read one by one.
    unpacked: Option<Unpacked<'de>>,
    /// The next block and all behind it, or nothing.
    rest: &'de [u8],
    /// How many elements it may still have.
    elements: usize,
    /// Where the stack was.
    start: usize,
}

impl<'de> Input<'de> {
    /// `None`: it is no value, as its end is missing.
    #[inline]
    pub(super) fn new(value: &'de [u8]) -> Option<Self> {
        let (part, rest) = block::open(value)?;
        Some(Self { elements: value.len().saturating_add(FREE), rest, ..Self::of_postcard(part) })
    }

    /// A value that postcard has written.
    #[inline]
    pub(super) fn of_postcard(part: &'de [u8]) -> Self {
        let elements = part.len().saturating_add(FREE);
        Self { part, at: 0, unpacked: None, rest: &[], elements, start: stack::here() }
    }

    /// How many bytes are unread; those of blocks as they are in memory.
    #[inline]
    pub(super) fn left(&self) -> usize {
        let unpacked = self.unpacked.as_ref().map_or(0, Unpacked::left);
        self.part.len() - self.at + unpacked + self.rest.len()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        match self.part.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => self.byte_of_block(),
        }
    }

    #[cold]
    fn byte_of_block(&mut self) -> Result<u8, CodecError> {
        let mut unpacked = match self.unpacked.take() {
            Some(unpacked) => unpacked,
            None => {
                let block = Block::first(self.rest).ok_or(Cause::End)?;
                (self.part, self.at, self.rest) = (&[], 0, block.rest);
                Unpacked::new(block)
            }
        };
        let (byte, is_last) = unpacked.next();
        if is_last {
            self.part = unpacked.block.part;
        } else {
            self.unpacked = Some(unpacked);
        }
        Ok(byte)
    }

    /// The next bytes of the part, if there are as many.
    #[inline]
    fn peek(&self, count: usize) -> Option<&'de [u8]> {
        self.part.get(self.at..)?.get(..count)
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Option<&'de [u8]> {
        let taken = self.peek(count)?;
        self.at += count;
        Some(taken)
    }

    /// The next bytes, some of which may be of blocks.
    #[cold]
    pub(super) fn gather(&mut self, count: usize) -> Result<Vec<u8>, CodecError> {
        if self.rest.is_empty() && self.unpacked.is_none() {
            return Err(Cause::End.into());
        }
        // It ends with an error before it takes more memory than there are bytes.
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.push(self.byte()?);
        }
        Ok(bytes)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        match self.take(N).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => Ok(*bytes),
            None => self.gather(N)?.first_chunk().copied().ok_or_else(|| Cause::End.into()),
        }
    }

    /// An unsigned integer of at most so many bits, 64 or fewer.
    #[inline]
    pub(super) fn varint(&mut self, bits: u32) -> Result<u64, CodecError> {
        match self.part.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok((*byte).into())
            }
            _ => self.long_varint(bits),
        }
    }

    // Of its own, so that what is inlined stays small.
    fn long_varint(&mut self, bits: u32) -> Result<u64, CodecError> {
        let mut value = 0;
        for shift in (0..bits).step_by(7) {
            let byte = self.byte()?;
            if shift + 7 > bits && byte >> (bits - shift) != 0 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Cause::Bad("a number that is too large").into())
    }

    pub(super) fn varint_128(&mut self) -> Result<u128, CodecError> {
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            if shift + 7 > u128::BITS && byte >> (u128::BITS - shift) != 0 {
                break;
            }
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Cause::Bad("a number that is too large").into())
    }

    #[inline]
    pub(super) fn length(&mut self) -> Result<usize, CodecError> {
        Ok(self.varint(usize::BITS)? as usize)
    }

    /// Before another level of a value, which can contain itself only through one that comes here.
    #[inline]
    pub(super) fn descend(&self) -> Result<(), CodecError> {
        if self.start.saturating_sub(stack::here()) < stack::LITTLE { Ok(()) } else { self.descend_far() }
    }

    #[cold]
    fn descend_far(&self) -> Result<(), CodecError> {
        if stack::has_room(self.start) { Ok(()) } else { Err(Cause::TooDeep.into()) }
    }

    /// Before so many elements of a sequence or a map.
    #[inline]
    pub(super) fn spend(&mut self, elements: usize) -> Result<(), CodecError> {
        self.elements = self.elements.checked_sub(elements).ok_or(Cause::TooMany)?;
        Ok(())
    }

    /// Whether memory for so many elements that are to come is in proportion to the bytes: there are as many, and none
    /// stood for an element of another sequence already, as each element has its own first byte.
    #[inline]
    pub(super) fn is_bounded(&self, elements: usize) -> bool {
        elements <= self.left() && self.elements >= FREE
    }

    /// The vector of a block, if one of this kind comes next.
    #[inline]
    pub(super) fn vector_of_block<V>(&mut self, kind: Kind) -> Option<V> {
        if kind.is_plain() || self.at < self.part.len() || self.rest.is_empty() || self.unpacked.is_some() {
            return None;
        }
        let block = Block::first(self.rest).filter(|block| block.kind == kind)?;
        let vector = numbers::vector(block.numbers)?;
        (self.part, self.at, self.rest) = (block.part, 0, block.rest);
        numbers::is_copied();
        Some(vector)
    }

    /// The vector of so many numbers that come next, if they are as in memory.
    #[inline]
    pub(super) fn vector<V>(&mut self, kind: Kind, length: usize) -> Option<V> {
        if !kind.is_plain() {
            return None;
        }
        let numbers = self.peek(length.checked_mul(kind.size())?).filter(|numbers| numbers::are(kind, numbers))?;
        let vector = numbers::vector(numbers)?;
        self.at += numbers.len();
        numbers::is_copied();
        Some(vector)
    }
}
