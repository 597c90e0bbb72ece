//! The memory, as one end maps it: rings of so few bytes that items go around them, and from one to another.

use crate::wire::items::words::Words;
use loom::cell::UnsafeCell;
use std::io;
use std::ops::Range;
use std::sync::Arc;

pub(crate) const FIRST: u32 = 6;
const LAST: u32 = 8;

/// What both ends map.
#[derive(Debug)]
struct Shared {
    words: Words,
    // The ring of `2^n` bytes is at the offset `2^n`.
    data: Vec<UnsafeCell<u64>>,
}

// SAFETY: loom checks each access to the data against all others.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

#[derive(Debug)]
pub(crate) struct RingMemory(Arc<Shared>);

impl RingMemory {
    pub(crate) fn create() -> [Self; 2] {
        let data = (0..(2 << LAST) / 8).map(|_| UnsafeCell::new(0)).collect();
        let shared = Arc::new(Shared { words: Words::default(), data });
        shared.words.begin(FIRST);
        [Self(Arc::clone(&shared)), Self(shared)]
    }

    pub(crate) fn words(&self) -> &Words {
        &self.0.words
    }

    pub(crate) fn last(&self) -> u32 {
        LAST
    }

    pub(crate) fn ring(&self, number: u32) -> io::Result<Ring> {
        assert!((FIRST..=LAST).contains(&number));
        Ok(Ring { number, shared: Arc::clone(&self.0) })
    }

    /// The pages become zeroes: a write, to loom.
    pub(crate) fn give_back(&self, ring: &Ring, range: Range<u64>) {
        for offset in (range.start..range.end.min(ring.size())).step_by(8) {
            ring.store(offset, 0);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Ring {
    number: u32,
    shared: Arc<Shared>,
}

impl Ring {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn size(&self) -> u64 {
        1 << self.number
    }

    pub(crate) fn offset(&self, position: u64) -> u64 {
        position & (self.size() - 1)
    }

    fn word(&self, offset: u64) -> &UnsafeCell<u64> {
        assert!(offset < self.size() && offset % 8 == 0);
        &self.shared.data[((self.size() + offset) / 8) as usize]
    }

    pub(crate) fn load(&self, offset: u64) -> u64 {
        // SAFETY: loom checks that no thread writes to it now.
        self.word(offset).with(|word| unsafe { *word })
    }

    pub(crate) fn store(&self, offset: u64, word: u64) {
        // SAFETY: loom checks that no thread has it now.
        self.word(offset).with_mut(|place| unsafe { *place = word });
    }

    /// Whole words, all that the models send.
    pub(crate) fn copy_in(&self, offset: u64, bytes: &[u8]) {
        for (i, word) in bytes.chunks_exact(8).enumerate() {
            self.store(offset + 8 * i as u64, u64::from_le_bytes(word.try_into().unwrap()));
        }
    }

    pub(crate) fn copy_out(&self, offset: u64, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        for at in (0..length).step_by(8) {
            into.extend(self.load(offset + at as u64).to_le_bytes());
        }
        Ok(())
    }

    pub(crate) fn copy_out_small(&self, offset: u64, into: &mut [u8]) {
        for (at, bytes) in into.chunks_mut(8).enumerate() {
            bytes.copy_from_slice(&self.load(offset + 8 * at as u64).to_le_bytes()[..bytes.len()]);
        }
    }
}
