//! Loom's atomics, with sequential consistency.
//!
//! Loom takes a `SeqCst` access for an `AcqRel` one, which cannot carry Dekker's pattern; its `SeqCst` fences are
//! exact. So such accesses get fences, as they do on real machines. There are two ways to do that, a fence before each
//! load or one behind each store, and either puts one between a store and a later load, which is all that the pattern
//! needs. Every model runs both ways: where one of such a pair of accesses is weaker than it must be, one of the two
//! ways has no fence between them.

use std::cell::Cell;

use loom::sync::atomic::{self, Ordering};

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
pub(crate) fn order(order: Ordering, here: Fences, otherwise: Ordering) -> Ordering {
    fence(order, here);
    if order == Ordering::SeqCst { otherwise } else { order }
}

pub(crate) fn fence(order: Ordering, here: Fences) {
    if order == Ordering::SeqCst && FENCES.get() == here {
        atomic::fence(Ordering::SeqCst);
    }
}
