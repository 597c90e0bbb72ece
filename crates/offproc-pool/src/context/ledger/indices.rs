//! The indices of workers: each that runs has one, which no other has at that time.

use std::collections::BTreeSet;

/// The indices that are taken.
#[derive(Debug, Default)]
pub(super) struct Indices(BTreeSet<usize>);

impl Indices {
    pub(super) fn lowest_free(&self) -> usize {
        // Taken ones come in order: the first that differs from its place leaves that place free.
        self.0.iter().enumerate().find(|(place, taken)| place != *taken).map_or(self.0.len(), |(place, _)| place)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_free(&self, index: usize) -> bool {
        !self.0.contains(&index)
    }

    pub(super) fn take(&mut self, index: usize) {
        self.0.insert(index);
    }

    pub(super) fn free(&mut self, index: usize) {
        self.0.remove(&index);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Indices;

    #[test]
    fn the_lowest_free_one_is_taken_first() {
        let mut indices = Indices::default();
        let take = |indices: &mut Indices| {
            let index = indices.lowest_free();
            assert!(indices.0.insert(index), "no two workers have it");
            index
        };
        assert_eq!([(); 4].map(|()| take(&mut indices)), [0, 1, 2, 3]);
        indices.free(2);
        indices.free(0);
        assert_eq!([(); 3].map(|()| take(&mut indices)), [0, 2, 4]);
    }
}
