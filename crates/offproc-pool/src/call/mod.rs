//! A call: from the caller's `run_sync` to its result.

mod coop_budget;
mod future;
mod in_time;
mod limits;
mod queue;
mod request;
mod retries;
mod run_sync;
mod run_with;
mod target;
mod timed;

pub use run_sync::{Call, RunSync, run_sync};
pub use run_with::run_with;
pub use timed::TimedCall;
