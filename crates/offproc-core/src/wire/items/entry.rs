//! What is in a ring: entries, each at a multiple of 8, and each beginning with a word that says what it is.

/// The bytes of that word.
pub(crate) const HEADER: u64 = 8;
/// As many bytes of an item as have room in it.
pub(crate) const SHORT: usize = 7;

const KIND: u32 = 56;
const VALUE: u64 = (1 << KIND) - 1;
const ITEM: u64 = 1;
const REWIND: u64 = 2;
const MOVE: u64 = 3;
/// And up to `SHORT` more: as many bytes as the item has.
const SHORT_ITEM: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An item of so many bytes, which follow.
    Item(u64),
    /// An item of so many bytes, which are these, the first one lowest.
    Short(usize, u64),
    /// The next entry is at the beginning of the ring.
    Rewind,
    /// The next entry is in another ring.
    Move(u32),
}

impl Entry {
    #[inline]
    pub(crate) fn of_item(item: &[u8]) -> Self {
        if item.len() > SHORT {
            return Self::Item(item.len() as u64);
        }
        Self::Short(item.len(), item.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
    }

    /// How many bytes it takes in a ring.
    #[inline]
    pub(crate) fn size(self) -> u64 {
        match self {
            Self::Item(length) => HEADER + length.next_multiple_of(8),
            Self::Short(..) | Self::Rewind | Self::Move(_) => HEADER,
        }
    }

    #[inline]
    pub(crate) fn to_word(self) -> u64 {
        let (kind, value) = match self {
            Self::Item(length) => (ITEM, length),
            Self::Short(length, bytes) => (SHORT_ITEM + length as u64, bytes),
            Self::Rewind => (REWIND, 0),
            Self::Move(ring) => (MOVE, u64::from(ring)),
        };
        kind << KIND | value
    }

    /// `None` for a word that no end writes.
    #[inline]
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        let value = word & VALUE;
        match word >> KIND {
            ITEM => Some(Self::Item(value)),
            REWIND => Some(Self::Rewind),
            MOVE => u32::try_from(value).ok().map(Self::Move),
            kind @ SHORT_ITEM.. => {
                let length = (kind - SHORT_ITEM) as usize;
                (length <= SHORT).then_some(Self::Short(length, value))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_what_its_word_says() {
        let items = [&[][..], &[0], &[0xff; 6], &[1, 2, 3, 4, 5, 6, 7]].map(Entry::of_item);
        for entry in items.into_iter().chain([Entry::Item(8), Entry::Rewind, Entry::Move(40)]) {
            assert_eq!(Entry::from_word(entry.to_word()), Some(entry));
        }
        assert_eq!(Entry::of_item(&[1; 8]), Entry::Item(8));
        assert_eq!(Entry::of_item(&[1, 2]), Entry::Short(2, 0x201));
        for kind in [0, 4, 7, 16, 255] {
            assert_eq!(Entry::from_word(kind << KIND), None);
        }
    }
}
