//! A context: a set of workers with settings of their own, and what calls need of it.

#[macro_use]
mod settings;

mod abandoned;
mod builder;
mod check_out;
mod default;
mod end;
mod inner;
mod lease;
mod ledger;
mod per_worker;
mod scope;
mod start;
mod state;
mod warm_up;
mod worker_context;

pub use builder::WorkerContextBuilder;
pub use default::{configure_default_context, default_context_statistics};
pub use end::{Close, CloseWithin, Shutdown, shutdown};
pub use ledger::Statistics;
pub use per_worker::WorkerSettings;
pub use scope::{CacheScope, CacheScopeExt, InCacheScope, ScopeError, cache_scope, cache_scope as context_scope};
pub use warm_up::WarmUp;
pub use worker_context::WorkerContext;

pub(crate) use check_out::Checkout;
pub(crate) use default::default_context;
pub(crate) use inner::{ContextInner, in_a_fork, may_call};
pub(crate) use lease::Lease;
pub(crate) use ledger::{HasLedger, WorkerLedger};
pub(crate) use scope::innermost;
