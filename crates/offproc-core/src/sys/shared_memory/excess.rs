//! What large jobs needed, kept for the next ones: fresh pages cost several times the copies into them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// So many bytes all workers of the program keep together, beyond what each has anyway.
const ALL: usize = 256 << 20;
/// After so many jobs in a row that did not need it, a worker's part is given back.
const UNUSED: u32 = 8;

/// How much of [`ALL`] is left.
static LEFT: AtomicUsize = AtomicUsize::new(ALL);

/// One worker's part of it, which is free again when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Excess {
    bytes: usize,
    unused: u32,
}

impl Excess {
    /// Whether a worker may keep `bytes` after a job, which needed them or not.
    pub(super) fn is_kept(&mut self, bytes: usize, is_used: bool) -> bool {
        self.unused = if is_used { 0 } else { self.unused + 1 };
        self.unused < UNUSED && self.take(bytes)
    }

    fn take(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let taken = LEFT.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(more)).is_ok();
        if taken {
            self.bytes += more;
        }
        taken
    }
}

impl Drop for Excess {
    fn drop(&mut self) {
        LEFT.fetch_add(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, as all share what is left.
    #[test]
    fn as_much_is_kept_as_all_may_keep_together_and_while_it_is_used() {
        let (mut one, mut other) = (Excess::default(), Excess::default());
        assert!(one.is_kept(ALL - 5, true));
        assert!(!other.is_kept(6, true), "more than is left");
        assert!(other.is_kept(5, true));
        assert!(!one.is_kept(ALL - 4, true), "one byte more than is left");
        assert!((1..UNUSED).all(|_| other.is_kept(5, false)));
        assert!(!other.is_kept(5, false), "not needed for so many jobs");
        drop(other);
        assert!(one.is_kept(ALL, true));
        drop(one);
        assert_eq!(LEFT.load(Relaxed), ALL);
    }
}
