//! The pool of [offproc](https://docs.rs/offproc): it lends workers to calls.
//!
//! Programs depend on `offproc`, which re-exports all of this.
//!
//! Two rooms: `call/` is one call, from `run_sync` to its result; `context/` is what calls share, the workers and how
//! they are lent, started and ended. Both stand on `limiter`, `limits/` and `timing/`.
//!
//! Under `--cfg loom` only `limiter`, `context/ledger/` and `sync` are compiled: see `tests/loom_limiter.rs` and
//! `context/ledger/tests.rs`.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod limiter;
mod sync;

pub use limiter::{Acquire, Limiter, Permit};

#[cfg(all(loom, test))]
#[path = "context/ledger/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "the rest of the crate, which uses them, is not compiled")]
mod ledger;

#[cfg(not(loom))]
mod call;
#[cfg(not(loom))]
mod channel;
#[cfg(not(loom))]
mod context;
#[cfg(not(loom))]
mod limits;
#[cfg(not(loom))]
mod map;
#[cfg(not(loom))]
mod observe;
#[cfg(not(loom))]
mod runtime;
#[cfg(not(loom))]
mod timing;
#[cfg(not(loom))]
mod wait;

#[cfg(not(loom))]
pub use self::{
    call::{Call, RunSync, TimedCall, run_sync, run_with},
    channel::{Receiver, ReceiverIter, Receiving, RecvError, SendError, Sender, Sending, TrySendError, channel},
    context::{
        CacheScope, CacheScopeExt, Close, CloseWithin, InCacheScope, ScopeError, Shutdown, Statistics, WarmUp,
        WorkerContext, WorkerContextBuilder, WorkerSettings, cache_scope, configure_default_context, context_scope,
        default_context_statistics, shutdown,
    },
    limiter::default::{default_limiter, default_limiter as current_default_worker_limiter},
    map::{Chunks, Fold, Folded, IntoItems, Items, Map, MapIter, map, map_with},
    timing::CallTimes,
};
#[cfg(not(loom))]
pub use offproc_core::{
    BrokenWorkerError, ConfigError, DecodeError, EncodeError, Error, Fault, JobError, PanicError, Phase, Resource,
    Runtime, Signals, StateError, Station, Transfer, Transport, WorkerType,
};
