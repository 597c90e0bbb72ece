//! An item channel, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-model-items --release`.
//!
//! `wire/items/{words,entry}.rs` and `items/{send,receive}.rs` of `offproc-core` are part of this crate as they are:
//! how the two ends hand over items, how they sleep and wake each other, and how they move from ring to ring. What they
//! stand on is put in place of the real thing, under the same names: the atomics (`sync`), the rings, which are tiny
//! here (`sys::ring_memory`), and the socket pair (`items::bell`).
//!
//! A lost wake-up shows as loom's "deadlock", and bytes that one end reads before the other has handed them over, or
//! writes before the other has given them back, as loom's "causality violation".
#![cfg(all(loom, test))]
#![allow(dead_code, unreachable_pub, reason = "the included files offer more than the models need")]

mod error;
mod items;
mod sync;
mod sys;
mod tests;
mod wire;
