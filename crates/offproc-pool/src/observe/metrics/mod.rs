//! Metrics, through the crate of that name.
//!
//! They go by the name of a context, which several contexts may have: gauges are the sum of theirs. A recorder may be
//! installed at any time, so gauges are set to the count that is kept here, and never incremented.

mod describe;
mod gauges;
mod handles;
mod label_metrics;
mod run_timer;

pub(crate) use gauges::{ContextGauges, GaugeCounts};
pub(crate) use label_metrics::{FunctionLabel, LabelMetrics};
pub(crate) use run_timer::RunTimer;
