//! What goes on in a context, for those who run it: totals, and with features spans, events and metrics.
//!
//! Subscribers and recorders are foreign code. It runs without any lock of ours, what panics in it stays in it, and
//! nothing that others wait for waits for it: see `event_thread.rs`.

#[cfg(any(feature = "tracing", feature = "metrics"))]
mod call_record;
#[cfg(not(any(feature = "tracing", feature = "metrics")))]
#[path = "no_call_record.rs"]
mod call_record;
#[cfg(feature = "tracing")]
mod call_span;
#[cfg(feature = "tracing")]
mod event_thread;
#[cfg(feature = "tracing")]
mod events;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod foreign;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "tracing"))]
mod no_events;
#[cfg(not(feature = "metrics"))]
mod no_run_timer;
mod observer;
mod totals;
mod worker_observer;

pub(crate) use call_record::CallRecord;
#[cfg(feature = "tracing")]
pub(crate) use event_thread::settled;
#[cfg(feature = "metrics")]
pub(crate) use metrics::{ContextGauges, GaugeCounts, RunTimer};
#[cfg(not(feature = "tracing"))]
pub(crate) use no_events::settled;
#[cfg(not(feature = "metrics"))]
pub(crate) use no_run_timer::RunTimer;
pub(crate) use observer::Observer;
