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
//! started when it is first needed and kept for the next calls. What a thread of `spawn_blocking` cannot be, it is:
//! killed, by [dropping the call](RunSync::kill_on_cancel) or after a [time limit](RunSync::time_limit), and survived,
//! when it crashes ([`Error::BrokenWorker`]).
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | calls, and their options | [`run_sync`], [`RunSync`] |
//! | what can go wrong | [`Error`] |
//! | how many calls run at once | [`Limiter`], [`current_default_worker_limiter`] |
//! | workers with settings of their own | [`WorkerContext`], [`WorkerContextBuilder`] |
//! | a context for all calls inside a future | [`cache_scope`], [`CacheScopeExt::in_cache_scope`] |
//! | the settings of all other calls | [`configure_default_context`] |
//! | large data that is not copied, files and sockets | [`SharedBytes`], [`Fd`] |
//! | how workers come to be | [`WorkerType`] |
//!
//! The repository has a [reference] that walks through all of it, and pages on [cancellation], [platforms] and the
//! [architecture].
//!
//! # What a worker is
//!
//! Another process of your executable. In it, offproc takes over before `main` (after the constructors of other crates
//! have run) and serves calls, so nothing of your `main` runs there, and no async runtime. Its stdout and stderr are
//! the program's, its stdin is empty; environment, arguments and working directory are the program's; it ignores
//! SIGINT, so that Ctrl+C is the program's to handle, and SIGPIPE, as every Rust program does. Its `static`s are its
//! own, and keep their values from call to call.
//!
//! When the program ends, by whatever road, its workers end. When it ends in an orderly way, idle ones exit by
//! themselves, with their work at exit done.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `auto-init` (default) | Workers find out before `main` that they are workers. Without it, [`init`] must be the first line of `main`; a program that forgets it gets [`Error::Spawn`], never a second copy of itself. |
//! | `tokio`, `async-std`, `smol` | A call that is polled inside that runtime uses its reactor and timer. Without, or elsewhere, those of `async-io` are used, under any executor. |
//!
//! # Platforms
//!
//! Linux. The seams for others are there, what goes behind them is not yet: see [platforms].
//!
//! [reference]: https://github.com/offproc/offproc/blob/main/docs/reference.md
//! [cancellation]: https://github.com/offproc/offproc/blob/main/docs/cancellation.md
//! [platforms]: https://github.com/offproc/offproc/blob/main/docs/platforms.md
//! [architecture]: https://github.com/offproc/offproc/blob/main/docs/architecture.md
#![forbid(unsafe_code)]

pub use offproc_core::{Fd, SharedBytes, init, should_stop};
pub use offproc_pool::{
    Acquire, BrokenWorkerError, CacheScope, CacheScopeExt, Call, CallTimes, ConfigError, DecodeError, EncodeError,
    Error, Fault, InCacheScope, Limiter, PanicError, Permit, Phase, Resource, RunSync, Runtime, ScopeError, Signals,
    Statistics, TimedCall, Transport, WorkerContext, WorkerContextBuilder, WorkerType, cache_scope,
    configure_default_context, current_default_worker_limiter, default_context_statistics, run_sync,
};

/// The runtimes a context can be [pinned](WorkerContextBuilder::runtime) to.
pub mod runtimes {
    #[cfg(feature = "async-std")]
    pub use offproc_async_std::AsyncStd;
    pub use offproc_core::Fallback;
    #[cfg(feature = "smol")]
    pub use offproc_smol::Smol;
    #[cfg(feature = "tokio")]
    pub use offproc_tokio::Tokio;
}

// The code in these pages is compiled and run by `cargo test`. A published crate does not have them, nor doc-tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/reference.md")]
    struct Reference;
    #[doc = include_str!("../../../docs/cancellation.md")]
    struct Cancellation;
}
