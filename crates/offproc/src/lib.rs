//! Run synchronous functions in cached, killable worker **processes**, from any async runtime.
//!
//! ```
//! use offproc::run_sync;
//!
//! fn fibonacci(n: u32) -> u64 { if n < 2 { n.into() } else { fibonacci(n - 1) + fibonacci(n - 2) } }
//!
//! #[tokio::main] // or smol, async-std, pollster, futures::executor …
//! async fn main() -> Result<(), offproc::Error> {
//!     println!("{}", run_sync(fibonacci, 20).await?);
//!     Ok(())
//! }
//! ```
//!
//! [`run_sync`] sends a plain function and its argument to a worker process and brings the result back. The worker is
//! started when it is first needed and kept for the next calls. Unlike a thread of `spawn_blocking`, it can be killed,
//! by [dropping the call](RunSync::kill_on_cancel) or after a [time limit](RunSync::time_limit), and the program
//! survives its crash ([`Error::BrokenWorker`]).
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | calls, and their options | [`run_sync`], [`RunSync`] |
//! | code that is not async | [`RunSync::wait`] |
//! | a function over many items | [`map`](map()), [`map_with`], [`Map`] |
//! | what can be an argument or a result | [`Transfer`], [`JobError`] for errors, [`SharedBytes`] and [`Fd`] |
//! | what can go wrong | [`Error`], [`BrokenWorkerError`], [`PanicError`] |
//! | a job's own errors | [`JobError`] |
//! | running a job again after a crash | [`RunSync::retry_crashes`] |
//! | killing a job | [`RunSync::kill_on_cancel`], [for a context](WorkerContextBuilder::kill_on_cancel) |
//! | limits of time, CPU time and memory | [`RunSync::time_limit`], [`cpu_limit`](RunSync::cpu_limit), [`memory_limit`](RunSync::memory_limit) |
//! | limits for all of a call, waiting included | [`RunSync::timeout`], [`RunSync::deadline`] |
//! | a bounded queue of calls | [`WorkerContextBuilder::max_queue`] |
//! | a job that ends early by itself | [`RunSync::soft_time_limit`], [`should_stop`] |
//! | how long a call waited and ran | [`RunSync::timed`], [`CallTimes`] |
//! | how many calls run at once | [`Limiter`], [`current_default_worker_limiter`] |
//! | workers with settings of their own | [`WorkerContext`], [`WorkerContextBuilder`] |
//! | set-up of a worker | [`init`](WorkerContextBuilder::init), [`preload`](WorkerContextBuilder::preload) |
//! | jobs on untrusted input | [`sandbox`](WorkerContextBuilder::sandbox), [`resource_limit`](WorkerContextBuilder::resource_limit) |
//! | workers before the first call | [`WorkerContext::warm_up`], [`spare_workers`](WorkerContextBuilder::spare_workers) |
//! | fresh workers | [`retire`](WorkerContextBuilder::retire), [`retire_after_jobs`](WorkerContextBuilder::retire_after_jobs) |
//! | processes that jobs have started | [`kill_tree`](WorkerContextBuilder::kill_tree) |
//! | a context for all calls inside a future | [`cache_scope`], [`CacheScopeExt::in_cache_scope`] |
//! | the settings of all other calls | [`configure_default_context`] |
//! | what a context does and has done | [`WorkerContext::statistics`], [`default_context_statistics`], [spans and metrics](guide::observability) |
//! | the end of a context | [`WorkerContext::close`], [`close_within`](WorkerContext::close_within), [`shutdown`] |
//! | large data that is not copied, files and sockets | [`SharedBytes`], [`Fd`], [arrays](guide::arrays) |
//! | types that need a self-describing format | [reference](guide::reference#jsont) |
//! | progress and results while a job runs, work that it gets meanwhile | [`channel`](channel()) |
//! | how workers are started | [`WorkerType`] |
//! | workers on other machines | [`WorkerType::command`], [`serve`], [guide](guide::cluster) |
//! | one runtime for a context | [`runtimes`] |
//!
//! The [`guide`] walks through all of it: a [reference](guide::reference), [recipes](guide::recipes), and pages on
//! [cancellation](guide::cancellation), [services](guide::service), [testing](guide::testing),
//! [debugging](guide::debugging), [containers](guide::containers), [use in libraries](guide::libraries) and
//! [moving to offproc](guide::migrating).
//!
//! # Before you use it
//!
//! - **A dropped call abandons its job**, which runs on and holds its token of the limiter, unless the call has
//!   [`kill_on_cancel(true)`](RunSync::kill_on_cancel). Abandoned jobs that never end stop all later calls of that
//!   limiter.
//! - **Only values travel.** Argument and result are `Serialize + DeserializeOwned` ([`Transfer`]), so no references:
//!   a `String` for `&str`. Each worker has its own `static`s.
//! - **What travels is copied**, vectors of bytes and numbers at the speed of memory; [`SharedBytes`] are not.
//! - **A worker is no sandbox** by itself: it contains crashes, not attackers.
//!
//! # What a worker is
//!
//! Another process of your executable. In it, offproc takes over before `main` (after the constructors of other crates
//! have run) and serves calls, so your `main` does not run there, nor an async runtime. Its stdout and stderr are the
//! program's, its stdin is empty; environment, arguments and working directory are the program's as they are when the
//! worker starts (**a cached worker does not follow later changes**); it ignores SIGINT, so that only the program gets
//! Ctrl+C, and SIGPIPE, as every Rust program does. Its `static`s are its own, and keep their values from call to call.
//!
//! When the program ends, however it ends, its workers end. When it returns from `main` or calls `exit`, idle ones run
//! their `atexit` handlers and exit.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `auto-init` (default) | Workers find out before `main` that they are workers. Without it, [`init`] must be the first line of `main`; a program that forgets it gets [`Error::Spawn`], never a second copy of itself. |
//! | `tokio`, `async-std`, `smol` | A call that is polled inside that runtime uses its reactor and timer. Without the feature, or elsewhere, it uses those of `async-io`, under any executor. |
//! | `bytemuck` | `SharedSlice`: [arrays](guide::arrays) of numbers and plain structs that are not copied. |
//! | `bytes`, `arrow` | A [`SharedBytes`] becomes a `bytes::Bytes`, or an `arrow_buffer::Buffer`, without a copy. |
//! | `json` | `Json`: values that need a self-describing format travel as JSON. |
//! | `anyhow` | A [`JobError`] becomes an `anyhow::Error` by `?`. |
//! | `tracing` | A [span for each call](guide::observability#a-span-for-each-call), events of workers, and what jobs log in the program's subscriber. |
//! | `metrics` | [Counters, gauges and histograms](guide::observability#metrics) of contexts. |
//!
//! # Platforms
//!
//! Linux, so far: see [platforms](guide::platforms), and [where it was tried](guide::environments). Rust 1.85; the
//! minimum is never newer than what the current Debian stable has, and is raised with a new minor version.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use offproc_core::Json;
#[cfg(feature = "bytemuck")]
#[cfg_attr(docsrs, doc(cfg(feature = "bytemuck")))]
pub use offproc_core::{Element, SharedSlice};
pub use offproc_core::{Fd, SharedBytes, init, is_worker, serve, should_stop, worker_index};
pub use offproc_pool::{
    Acquire, BrokenWorkerError, CacheScope, CacheScopeExt, Call, CallTimes, Chunks, Close, CloseWithin, ConfigError,
    DecodeError, EncodeError, Error, Fault, Fold, Folded, InCacheScope, IntoItems, Items, JobError, Limiter, Map,
    MapIter, PanicError, Permit, Phase, Receiver, ReceiverIter, Receiving, RecvError, Resource, RunSync, Runtime,
    ScopeError, SendError, Sender, Sending, Shutdown, Signals, StateError, Station, Statistics, TimedCall, Transfer,
    Transport, TrySendError, WarmUp, WorkerContext, WorkerContextBuilder, WorkerSettings, WorkerType, cache_scope,
    channel, configure_default_context, context_scope, current_default_worker_limiter, default_context_statistics,
    default_limiter, map, map_with, run_sync, run_with, shutdown,
};

/// The runtimes a context can be [pinned](WorkerContextBuilder::runtime) to.
pub mod runtimes {
    #[cfg(feature = "async-std")]
    pub use offproc_async_std::AsyncStd;
    pub use offproc_core::AsyncIo;
    /// The former name of [`AsyncIo`].
    #[doc(hidden)]
    pub use offproc_core::AsyncIo as Fallback;
    #[cfg(feature = "smol")]
    pub use offproc_smol::Smol;
    #[cfg(feature = "tokio")]
    pub use offproc_tokio::Tokio;
}

#[cfg(any(doc, doctest))]
pub mod guide;

// The code in the README is run by `cargo test`. A published crate does not have it there, nor doc-tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
