//! Part of offproc: who may use a worker, and when.
//!
//! Under `--cfg loom` only `limiter` and `sync` are compiled: see `tests/loom_limiter.rs`.

#![forbid(unsafe_code)]

#[cfg(not(loom))]
mod default_limiter;
mod limiter;
mod sync;

#[cfg(not(loom))]
pub use default_limiter::current_default_worker_limiter;
pub use limiter::{Acquire, Limiter, Permit};
