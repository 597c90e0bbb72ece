//! Forwards the `tracing` events and `log` records of [offproc](https://docs.rs/offproc)'s jobs to the program's
//! subscriber.
//!
//! Programs switch the feature `tracing` of `offproc` on and set `.forward_tracing(..)` on a context, which is made of
//! this crate. [`Forward`] is one context's forwarding, [`CallSink`] what one call's events go to.
//!
//! In the worker, a subscriber and a logger (`worker.rs`) make a record of each event (`record.rs`); `offproc-core`
//! carries it. In the program, `sink.rs` turns the record into an event again, with a callsite that is made once for
//! its place (`callsites.rs`).
#![forbid(unsafe_code)]

mod callsites;
mod level;
mod record;
mod sink;
mod worker;

pub use sink::CallSink;
pub use tracing_core::LevelFilter;

use offproc_core::{LogForwarder, LogHooks, LogSink};
use sink::ContextSink;
use std::sync::Arc;

/// Forwards the events of a context's workers, up to a level.
#[derive(Debug)]
pub struct Forward {
    level: LevelFilter,
    sink: Arc<ContextSink>,
}

impl Forward {
    /// Events of no job go to the calling thread's current subscriber, or, if it has none, to the program's.
    #[must_use]
    pub fn new(level: LevelFilter) -> Self {
        Self { level, sink: Arc::new(ContextSink::current()) }
    }
}

impl LogForwarder for Forward {
    fn hooks(&self) -> LogHooks {
        LogHooks {
            before_init: worker::before_init,
            after_init: worker::after_init,
            level_changed: worker::level_changed,
        }
    }

    fn level(&self) -> u8 {
        level::number(self.level.min(LevelFilter::current()))
    }

    fn sink(&self) -> Arc<dyn LogSink> {
        Arc::clone(&self.sink) as Arc<dyn LogSink>
    }
}
