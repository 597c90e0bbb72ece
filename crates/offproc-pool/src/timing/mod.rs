//! Clocks: what a call spends its time on, and how long the program has run.

mod clocks;
mod stopwatch;

pub use clocks::CallTimes;
pub(crate) use clocks::Clocks;
pub(crate) use stopwatch::Stopwatch;
