//! The worker ledger: which workers a context has and what they do.

mod closing;
#[cfg(feature = "metrics")]
mod gauged;
mod guards;
mod index_guard;
mod indices;
mod lending;
mod resting;
mod rests;
mod start_backoff;
mod statistics;
#[cfg(all(test, loom))]
mod tests;
mod worker_ledger;

pub(crate) use guards::{AbandonedGuard, HasLedger, RunningGuard, StartGuard};
pub(crate) use index_guard::IndexGuard;
pub(crate) use lending::Lookup;
pub(crate) use resting::Turn;
pub use statistics::Statistics;
pub(crate) use worker_ledger::{Closed, PooledWorker, WorkerLedger};
