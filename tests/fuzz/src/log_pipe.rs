//! The log of a worker, up to the program's subscriber.

use offproc_tracing::Forward;
use std::fmt::{Debug, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The other side is a worker, which may write anything.
pub(crate) fn log_pipe(data: &[u8]) {
    let _here = tracing::subscriber::set_default(Reader);
    offproc_core::fuzzing::log_pipe(data, Arc::new(Forward::new(LevelFilter::TRACE)));
}

/// Looks at all there is to see.
struct Reader;

impl Subscriber for Reader {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = format!("{:?}", event.metadata());
        event.record(&mut Printer(&mut text));
        assert!(!text.is_empty());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Printer<'a>(&'a mut String);

impl Visit for Printer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}
