//! What is in a ring: entries, each at a multiple of 8, and each beginning with a word that says what it is.

/// The bytes of that word.
pub(crate) const HEADER: u64 = 8;

const KIND: u32 = 56;
const VALUE: u64 = (1 << KIND) - 1;
const ITEM: u64 = 1;
const REWIND: u64 = 2;
const MOVE: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An item of so many bytes, which follow.
    Item(u64),
    /// The next entry is at the beginning of the ring.
    Rewind,
    /// The next entry is in another ring.
    Move(u32),
}

impl Entry {
    pub(crate) fn to_word(self) -> u64 {
        let (kind, value) = match self {
            Self::Item(length) => (ITEM, length),
            Self::Rewind => (REWIND, 0),
            Self::Move(ring) => (MOVE, u64::from(ring)),
        };
        kind << KIND | value
    }

    /// `None` for a word that no end writes.
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        let value = word & VALUE;
        match word >> KIND {
            ITEM => Some(Self::Item(value)),
            REWIND => Some(Self::Rewind),
            MOVE => u32::try_from(value).ok().map(Self::Move),
            _ => None,
        }
    }
}

/// How many bytes an item of this length takes in a ring.
pub(crate) fn size_of_item(length: u64) -> u64 {
    HEADER + length.next_multiple_of(8)
}
