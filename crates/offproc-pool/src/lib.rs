//! The pool of [offproc](https://docs.rs/offproc): who may use a worker, and when.
//!
//! Programs depend on `offproc`, which re-exports all of this.
//!
//! Under `--cfg loom` only `limiter`, `books` and `sync` are compiled: see `tests/loom_limiter.rs` and `books/tests.rs`.
#![forbid(unsafe_code)]

#[cfg(any(not(loom), test))]
mod books;
mod limiter;
mod sync;

pub use limiter::{Acquire, Limiter, Permit};

#[cfg(not(loom))]
mod builder;
#[cfg(not(loom))]
mod call;
#[cfg(not(loom))]
mod clocks;
#[cfg(not(loom))]
mod context;
#[cfg(not(loom))]
mod default_limiter;
#[cfg(not(loom))]
mod lease;
#[cfg(not(loom))]
mod limits;
#[cfg(not(loom))]
mod runtime;
#[cfg(not(loom))]
mod scope;
#[cfg(not(loom))]
mod shared;
#[cfg(not(loom))]
mod shutdown;
#[cfg(any(not(loom), test))]
#[cfg_attr(loom, allow(unreachable_pub))]
mod statistics;

#[cfg(not(loom))]
pub use self::{
    builder::{ConfigError, WorkerContextBuilder},
    call::{Call, RunSync, TimedCall, run_sync},
    clocks::CallTimes,
    context::{WorkerContext, configure_default_context, default_context_statistics},
    default_limiter::current_default_worker_limiter,
    scope::{CacheScope, CacheScopeExt, InCacheScope, ScopeError, cache_scope},
    statistics::Statistics,
};
#[cfg(not(loom))]
pub use offproc_core::{
    BrokenWorkerError, DecodeError, EncodeError, Error, Fault, PanicError, Phase, Resource, Runtime, Signals,
    Transport, WorkerType,
};
