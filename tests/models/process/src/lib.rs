//! The end of a worker's process, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-model-process --release`.
//!
//! The files of `offproc-core` that supervise a process are part of this crate as they are, with the fake process and
//! the races that are tests beside them: `parent/process/races.rs` is what is promised. This crate replaces what those
//! files use: locks and atomics (`sync`), the background thread (by a thread for each task) and its timers.
//!
//! An end that is missed shows as loom's "deadlock", and a signal to a number that is another's by then as a panic.
#![cfg(all(loom, test))]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "the included files offer more than the models need")]

mod error;
mod job;
mod parent;
mod sync;
mod sys;
