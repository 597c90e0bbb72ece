//! The atomics of `turn`, from here so that its model can put others in their place.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
