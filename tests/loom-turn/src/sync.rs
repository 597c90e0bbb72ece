//! Loom's atomics, with sequential consistency.
//!
//! Loom takes a `SeqCst` access for an `AcqRel` one, which cannot carry Dekker's pattern; its `SeqCst` fences are
//! exact. So each such access gets a fence, as it does on real machines. There are two ways to do that, a fence before
//! each access or one behind it, and both are right for code that is right. Every model runs with both: where one of a
//! pair of accesses is weaker than it must be, one of the two ways has no fence between them.

use std::cell::Cell;

use loom::sync::atomic;
pub(crate) use loom::sync::atomic::Ordering;

/// Where the fences are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fences {
    Before,
    Behind,
}

thread_local! {
    // All threads of a model are one thread of the test.
    static FENCES: Cell<Fences> = const { Cell::new(Fences::Before) };
}

pub(crate) fn set_fences(fences: Fences) {
    FENCES.set(fences);
}

fn fenced<T>(order: Ordering, otherwise: Ordering, access: impl FnOnce(Ordering) -> T) -> T {
    if order != Ordering::SeqCst {
        return access(order);
    }
    let fence = |here| {
        if FENCES.get() == here {
            atomic::fence(Ordering::SeqCst);
        }
    };
    fence(Fences::Before);
    let done = access(otherwise);
    fence(Fences::Behind);
    done
}

#[derive(Debug, Default)]
pub(crate) struct AtomicU32(atomic::AtomicU32);

impl AtomicU32 {
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        fenced(order, Ordering::Acquire, |order| self.0.load(order))
    }

    /// As a swap: loom does not know that no store can come between what a swap reads and what it writes, and would
    /// let `parked` be 0 for a worker that has swapped it before the parent set it. Nothing is lost by it: no word is
    /// written to by both sides other than by swaps on one of them.
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        fenced(order, Ordering::Release, |order| self.0.swap(value, order));
    }

    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        fenced(order, Ordering::AcqRel, |order| self.0.swap(value, order))
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        fenced(success, Ordering::AcqRel, |success| self.0.compare_exchange(current, new, success, failure))
    }
}

#[derive(Debug, Default)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        fenced(order, Ordering::Acquire, |order| self.0.load(order))
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        fenced(order, Ordering::Release, |order| self.0.store(value, order));
    }
}
