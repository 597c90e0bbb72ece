//! In the worker: the subscriber and the logger that send events to the program.
//!
//! A subscriber that `init` sets up takes precedence: before `init`, this subscriber is the default of the calling
//! thread alone; after it, it becomes the whole process's, unless `init` has set one. The logger is installed in the
//! same way, but `log` has no logger for a thread: what `init` logs by `log` stays in the worker.

use crate::{level, record};
use offproc_core::{is_forked, log_level, write_log};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing_core::dispatcher::{self, DefaultGuard, Dispatch};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Event, LevelFilter, Metadata, Subscriber, callsite};

thread_local! {
    /// Set for the thread that runs jobs, while this subscriber is the default of that thread alone.
    static HERE: RefCell<Option<(Dispatch, DefaultGuard)>> = const { RefCell::new(None) };
}

/// Whether `log` writes here.
static HAS_LOGGER: AtomicBool = AtomicBool::new(false);

pub(crate) fn before_init() {
    let dispatch = Dispatch::new(Forwarder);
    let here = dispatcher::set_default(&dispatch);
    HERE.set(Some((dispatch, here)));
}

pub(crate) fn after_init() {
    if log::set_logger(&Forwarder).is_ok() {
        HAS_LOGGER.store(true, Ordering::Relaxed);
        log::set_max_level(level::log_filter(log_level()));
    }
    let Some((dispatch, here)) = HERE.take() else { return };
    let is_set = dispatcher::set_global_default(dispatch.clone()).is_err();
    if is_set && is_forked() {
        // The global one is a copy of the program's, with its files and connections: keep this thread's own.
        HERE.set(Some((dispatch, here)));
    }
}

pub(crate) fn level_changed() {
    callsite::rebuild_interest_cache();
    if HAS_LOGGER.load(Ordering::Relaxed) {
        log::set_max_level(level::log_filter(log_level()));
    }
}

fn filter() -> LevelFilter {
    level::filter(log_level())
}

#[derive(Debug)]
struct Forwarder;

/// For events alone: the spans of a job stay in the worker.
impl Subscriber for Forwarder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_span() { Interest::never() } else { Interest::always() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter())
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span() && *metadata.level() <= filter()
    }

    fn event(&self, event: &Event<'_>) {
        // Another subscriber of the process may want more.
        if *event.metadata().level() <= filter() {
            write_log(|record| record::encode(event, record));
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl log::Log for Forwarder {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= level::log_filter(log_level())
    }

    fn log(&self, record: &log::Record<'_>) {
        if log::Log::enabled(self, record.metadata()) {
            write_log(|out| record::encode_log(record, out));
        }
    }

    fn flush(&self) {}
}
