//! Loom's atomics, with sequential consistency: see `fences.rs`, which both models share.

use loom::sync::atomic;
pub(crate) use loom::sync::atomic::Ordering;

#[path = "../../fences.rs"]
mod fences;

pub(crate) use fences::{Fences, set_fences};
use fences::{fence, order};

#[derive(Debug, Default)]
pub(crate) struct AtomicU32(atomic::AtomicU32);

impl AtomicU32 {
    pub(crate) fn load(&self, wanted: Ordering) -> u32 {
        self.0.load(order(wanted, Fences::BeforeLoads, Ordering::Acquire))
    }

    /// As a swap: loom does not know that no store can come between what a swap reads and what it writes, and would
    /// let `parked` be 0 for a worker that has swapped it before the parent set it. Nothing is lost by it: no word is
    /// written to by both sides other than by swaps on one of them.
    pub(crate) fn store(&self, value: u32, wanted: Ordering) {
        let order = if wanted == Ordering::SeqCst { Ordering::Release } else { wanted };
        self.0.swap(value, order);
        fence(wanted, Fences::BehindStores);
    }

    pub(crate) fn swap(&self, value: u32, wanted: Ordering) -> u32 {
        let old = self.0.swap(value, order(wanted, Fences::BeforeLoads, Ordering::AcqRel));
        fence(wanted, Fences::BehindStores);
        old
    }

    /// Only ever asked for without an order of its own.
    pub(crate) fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
        self.0.fetch_or(bits, order)
    }

    pub(crate) fn compare_exchange(&self, old: u32, new: u32, wanted: Ordering, failed: Ordering) -> Result<u32, u32> {
        let order = order(wanted, Fences::BeforeLoads, Ordering::AcqRel);
        let done = self.0.compare_exchange(old, new, order, failed);
        fence(wanted, Fences::BehindStores);
        done
    }
}

/// For what is not waited for: no sequential consistency.
#[derive(Debug, Default)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }
}
