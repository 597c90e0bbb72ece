//! How many items go into a chunk.

use offproc_core::ChunkBounds;
use std::time::Duration;

/// How many items of a map a worker gets at once, as one job: see [`Map::chunk_size`](crate::Map::chunk_size).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunks {
    /// About a millisecond of work, as measured: one item at first, and as many as are worth it after that. Up to eight
    /// while it is known that there is work for 25 such chunks and more for each token, as each costs the caller some
    /// time. A chunk that takes twice as long as expected returns the items that it has not begun.
    #[default]
    Auto,
    /// This many; 0 counts as 1.
    Of(usize),
}

/// The nanoseconds that a chunk is to take.
const TARGET: f64 = 1_000_000.0;
/// While there is much work left, up to so many times as much: this part of what is left for each token.
const LONGEST: f64 = 8.0 * TARGET;
const PART: f64 = 25.0;
/// After so many times that time it returns the rest of its items.
const LIMIT: f64 = 2.0;
/// At least this long, where the end of the items is near.
const LEAST: f64 = 50_000.0;
/// How many bytes of items, or of results, are enough for one.
const ENOUGH: usize = 512 << 10;
/// The most items in one.
const MOST: usize = 1 << 16;
/// How much larger than the last one a chunk may be: the measurement of a few items may be far off.
const GROWTH: usize = 16;

/// Measures what items take.
#[derive(Debug)]
pub(super) struct Sizing {
    chunks: Chunks,
    // Of what ran before, the older the less.
    items: f64,
    nanos: f64,
    // The size of the largest of the last chunks, and how many items make enough bytes.
    largest: usize,
    fits: usize,
    // The nanoseconds that the last one is to take.
    target: f64,
}

impl Sizing {
    pub(super) fn new() -> Self {
        Self { chunks: Chunks::Auto, items: 0.0, nanos: 0.0, largest: 0, fits: MOST, target: TARGET }
    }

    pub(super) fn set(&mut self, chunks: Chunks) {
        self.chunks = chunks;
    }

    /// The size of the next chunk, where at most `left` items are left for so many tokens.
    pub(super) fn size(&mut self, left: Option<usize>, tokens: usize) -> usize {
        match self.chunks {
            Chunks::Of(size) => size.max(1),
            Chunks::Auto if self.largest == 0 => 1,
            Chunks::Auto => {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "saturates, and is positive"
                )]
                let of = |nanos: f64| (nanos * self.items / self.nanos.max(1.0)) as usize;
                #[allow(clippy::cast_precision_loss, reason = "an estimate")]
                let work = left.map_or(0.0, |left| left as f64 * self.nanos / self.items / tokens.max(1) as f64);
                self.target = (work / PART).clamp(TARGET, LONGEST);
                let size = of(self.target).min(self.largest.saturating_mul(GROWTH)).min(self.fits);
                // The last chunks are small, so that all workers end at the same time.
                let share = left.map_or(usize::MAX, |left| left / tokens.saturating_mul(2).max(1));
                size.min(share.max(of(LEAST))).max(1)
            }
        }
    }

    pub(super) fn bounds(&self) -> (ChunkBounds, usize) {
        match self.chunks {
            Chunks::Of(_) => (ChunkBounds { time: None, bytes: usize::MAX }, usize::MAX),
            Chunks::Auto => {
                let time = Duration::from_secs_f64(LIMIT * self.target / 1e9);
                (ChunkBounds { time: Some(time), bytes: ENOUGH }, ENOUGH)
            }
        }
    }

    /// So many items have run, of so many that were to be in the chunk.
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn ran(&mut self, items: usize, took: Duration) {
        if items > 0 {
            self.items = self.items / 2.0 + items as f64;
            self.nanos = self.nanos / 2.0 + took.as_nanos() as f64;
            self.largest = items.max(self.largest / 2);
        }
    }

    /// There was room for so many of the items of a chunk.
    pub(super) fn fitted(&mut self, items: usize, of: usize) {
        self.fits = if items < of { items.max(1) } else { self.fits.saturating_mul(2).min(MOST) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_from_one_item_to_a_millisecond_and_shrinks_at_once() {
        let mut sizing = Sizing::new();
        assert_eq!(sizing.size(None, 2), 1);
        sizing.ran(1, Duration::from_micros(1));
        assert_eq!(sizing.size(None, 2), GROWTH);
        for _ in 0..8 {
            let size = sizing.size(None, 2);
            sizing.ran(size, Duration::from_micros(size as u64));
        }
        assert_eq!(sizing.size(None, 2), 1000);
        sizing.ran(10, Duration::from_millis(100));
        assert!(sizing.size(None, 2) < 10, "{}", sizing.size(None, 2));
    }

    #[test]
    fn has_up_to_eight_milliseconds_of_work_while_much_is_left() {
        let mut sizing = Sizing::new();
        sizing.ran(1000, Duration::from_millis(1));
        let mut of = |left| {
            let size = sizing.size(Some(left), 2);
            (size, sizing.bounds().0.time)
        };
        assert_eq!(of(1_000_000), (8000, Some(Duration::from_millis(16))));
        assert_eq!(of(200_000), (4000, Some(Duration::from_millis(8))));
        assert_eq!(of(50_000), (1000, Some(Duration::from_millis(2))));
        assert_eq!(sizing.size(None, 2), 1000, "there may be none");
    }

    #[test]
    fn shares_the_last_items_out() {
        let mut sizing = Sizing::new();
        sizing.ran(1000, Duration::from_millis(1));
        assert_eq!(sizing.size(Some(400), 2), 100);
        assert_eq!(sizing.size(Some(4), 2), 50, "not less than is worth a job");
        assert_eq!(sizing.size(Some(0), usize::MAX), 50);
    }

    #[test]
    fn has_no_more_items_than_fit() {
        let mut sizing = Sizing::new();
        sizing.ran(1000, Duration::from_millis(1));
        sizing.fitted(3, 1000);
        assert_eq!(sizing.size(None, 2), 3);
        sizing.fitted(3, 3);
        assert_eq!(sizing.size(None, 2), 6);
        sizing.set(Chunks::Of(0));
        assert_eq!(sizing.size(None, 2), 1);
    }
}
