//! The protocol of `offproc-core/src/wire/turn.rs`, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-loom-turn --release`.
//!
//! The file itself is part of this crate; only what it stands on is put in place of the real thing: the atomics
//! (`sync`), the futex and the bell (`kernel`). What stands on it is written again, without the input and output:
//! `sides` follows `parent/shared.rs` and `worker/shared_port.rs` of `offproc-core`, line by line.
//!
//! A lost wake-up shows as loom's "deadlock", and data that one side reads before the other has handed them over as
//! loom's "causality violation".
#![cfg(all(loom, test))]

mod kernel;
mod model;
mod sides;
mod sync;
mod tests;
#[path = "../../../crates/offproc-core/src/wire/turn.rs"]
mod turn;
