//! The end of a worker's process, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-loom-process --release`.
//!
//! `parent/process.rs` and `sys/process.rs` of `offproc-core` are part of this crate as they are. What they stand on is
//! put in place of the real thing: locks and atomics (`sync`), the keeper (`parent`, a thread for each errand), and the
//! kernel with its processes (`kernel`), which this crate offers under the names of rustix and async-io.
//!
//! An end that nobody sees shows as loom's "deadlock", and a signal to a number that is another's by then as a panic.
#![cfg(all(loom, test))]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "the included files offer more than the models need")]
#![allow(clippy::needless_update, clippy::unnecessary_fallible_conversions, reason = "they stand on less here")]

extern crate self as async_io;
extern crate self as rustix;

mod error;
mod kernel;
mod parent;
mod sync;
mod sys;
mod tests;

// `async_io`.
use kernel::watch::{Async, Timer};
// `rustix`.
use kernel::{errno as io, poll as event, signals as process};
