//! The transport over shared memory, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-model-shared-memory --release`.
//!
//! `wire/shm/slot.rs`, `parent/channel/{event,parent_channel,shm}.rs`, `worker/channel/shm.rs` and
//! `worker/channel/worker_channel.rs` of `offproc-core` are part of this crate as they are. What they stand on is put
//! in place of the real thing, under the same names: the atomics (`sync`), the memory, the futex and the doorbell
//! (`sys`), the runtime that watches the doorbell (`parent`), and how the two sides wait (`parent`, `worker`): real
//! spinning looks at the clock. What goes beside the memory (descriptors) is not modelled.
//!
//! A lost wake-up shows as loom's "deadlock", and data that one side reads before the other has handed them over as
//! loom's "causality violation".
#![cfg(all(loom, test))]
#![allow(dead_code, unreachable_pub, reason = "the included files offer more than the models need")]

mod error;
mod job;
mod kernel;
mod model;
mod parent;
mod sides;
mod sync;
mod sys;
mod tests;
mod wire;
mod worker;
