//! Run synchronous functions in cached, killable worker processes, from any async runtime.
#![forbid(unsafe_code)]

pub use offproc_core::{Fd, SharedBytes, init};
pub use offproc_pool::{
    Acquire, BrokenWorkerError, CacheScope, CacheScopeExt, Call, ConfigError, DecodeError, EncodeError, Error,
    InCacheScope, Limiter, PanicError, Permit, Phase, Resource, RunSync, Runtime, ScopeError, Signals, Statistics,
    Transport, WorkerContext, WorkerContextBuilder, WorkerType, cache_scope, configure_default_context,
    current_default_worker_limiter, default_context_statistics, run_sync,
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
