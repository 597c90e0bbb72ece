//! Loom's atomics, with sequential consistency: see `fences.rs`, which both models share.

use loom::sync::atomic;
pub(crate) use loom::sync::atomic::Ordering;

#[path = "../../fences.rs"]
mod fences;

pub(crate) use fences::{Fences, set_fences};
use fences::{fence, order};

macro_rules! atomics {
    ($($name:ident of $type:ty;)+) => {$(
        #[derive(Debug, Default)]
        pub(crate) struct $name(atomic::$name);

        impl $name {
            pub(crate) fn load(&self, wanted: Ordering) -> $type {
                self.0.load(order(wanted, Fences::BeforeLoads, Ordering::Acquire))
            }

            /// As a swap: loom does not know that no store can come between what another swap reads and what it writes.
            pub(crate) fn store(&self, value: $type, wanted: Ordering) {
                let order = if wanted == Ordering::SeqCst { Ordering::Release } else { wanted };
                self.0.swap(value, order);
                fence(wanted, Fences::BehindStores);
            }

            pub(crate) fn compare_exchange(
                &self,
                old: $type,
                new: $type,
                wanted: Ordering,
                failed: Ordering,
            ) -> Result<$type, $type> {
                let order = order(wanted, Fences::BeforeLoads, Ordering::AcqRel);
                let done = self.0.compare_exchange(old, new, order, failed);
                fence(wanted, Fences::BehindStores);
                done
            }
        }
    )+};
}

atomics! {
    AtomicU32 of u32;
    AtomicU64 of u64;
}
