//! Loom's atomics, with sequential consistency.
//!
//! Loom takes a `SeqCst` access for an `AcqRel` one, which cannot carry Dekker's pattern; its `SeqCst` fences are
//! exact. So such accesses get fences, as they do on real machines. There are two ways to do that, a fence before each
//! load or one behind each store, and either puts one between a store and a later load, which is all that the pattern
//! needs. Every model runs both ways: where one of such a pair of accesses is weaker than it must be, one of the two
//! ways has no fence between them.

use std::cell::Cell;

use loom::sync::atomic;
pub(crate) use loom::sync::atomic::Ordering;

/// Where the fences are; an access that both loads and stores has one either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fences {
    BeforeLoads,
    BehindStores,
}

thread_local! {
    // All threads of a model are one thread of the test.
    static FENCES: Cell<Fences> = const { Cell::new(Fences::BeforeLoads) };
}

pub(crate) fn set_fences(fences: Fences) {
    FENCES.set(fences);
}

/// The order to use, after a fence where the access is sequentially consistent and fences are here.
fn order(order: Ordering, here: Fences, otherwise: Ordering) -> Ordering {
    fence(order, here);
    if order == Ordering::SeqCst { otherwise } else { order }
}

fn fence(order: Ordering, here: Fences) {
    if order == Ordering::SeqCst && FENCES.get() == here {
        atomic::fence(Ordering::SeqCst);
    }
}

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
