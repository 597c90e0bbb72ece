//! From records to events of the program's subscriber.

use crate::callsites::{self, Found, Site};
use crate::record::{self, Head, Value};
use offproc_core::LogSink;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tracing_core::Event;
use tracing_core::dispatcher::{self, Dispatch, WeakDispatch};
use tracing_core::field::{self, DisplayValue};
use tracing_core::span::Id;
use tracing_core::subscriber::NoSubscriber;

/// The destination of one call's events: the span and the subscriber that were current when this was made.
#[derive(Debug)]
pub struct CallSink {
    dispatch: Dispatch,
    span: Option<Id>,
}

impl CallSink {
    /// For the current span of the calling thread, which stays open until this is dropped. `None` if the thread has no
    /// subscriber, or that panics.
    #[must_use]
    pub fn current() -> Option<Self> {
        let dispatch = current_dispatch()?;
        let span = caught(|| dispatch.current_span().id().map(|id| dispatch.clone_span(id)))?;
        Some(Self { dispatch, span })
    }
}

impl Drop for CallSink {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            // The span may end here, which runs the subscriber's code.
            caught(|| self.dispatch.try_close(span));
        }
    }
}

impl LogSink for CallSink {
    fn deliver(&self, records: &mut dyn Iterator<Item = &[u8]>) -> u64 {
        deliver(&self.dispatch, self.span.as_ref(), records)
    }

    fn tell_dropped(&self, count: u64) -> bool {
        let _entered = Entered::new(&self.dispatch, self.span.as_ref());
        tell_dropped(&self.dispatch, self.span.as_ref(), count)
    }
}

/// The destination of events of no job: no span.
#[derive(Debug)]
pub(crate) struct ContextSink {
    // Not kept alive by a context.
    dispatch: Option<WeakDispatch>,
}

impl ContextSink {
    /// For the subscriber of the calling thread, or, if it has none or that has been dropped, the program's.
    pub(crate) fn current() -> Self {
        Self { dispatch: current_dispatch().map(|dispatch| dispatch.downgrade()) }
    }

    fn dispatch(&self) -> Dispatch {
        let own = self.dispatch.as_ref().and_then(WeakDispatch::upgrade);
        own.unwrap_or_else(|| dispatcher::get_default(Dispatch::clone))
    }
}

impl LogSink for ContextSink {
    fn deliver(&self, records: &mut dyn Iterator<Item = &[u8]>) -> u64 {
        deliver(&self.dispatch(), None, records)
    }

    fn tell_dropped(&self, count: u64) -> bool {
        tell_dropped(&self.dispatch(), None, count)
    }
}

fn current_dispatch() -> Option<Dispatch> {
    dispatcher::get_default(|dispatch| (!dispatch.is::<NoSubscriber>()).then(|| dispatch.clone()))
}

/// Runs a subscriber's code, which is the program's, and ignores its panic. `None` if it panicked.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    // Dropping the payload would run its code again.
    catch_unwind(AssertUnwindSafe(work)).map_err(std::mem::forget).ok()
}

/// Enters a span until it is dropped: subscribers also read the current span.
struct Entered<'a>(Option<(&'a Dispatch, &'a Id)>);

impl<'a> Entered<'a> {
    fn new(dispatch: &'a Dispatch, span: Option<&'a Id>) -> Self {
        let span = span.filter(|span| caught(|| dispatch.enter(span)).is_some());
        Self(span.map(|span| (dispatch, span)))
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some((dispatch, span)) = self.0 {
            caught(|| dispatch.exit(span));
        }
    }
}

fn deliver<'a>(dispatch: &Dispatch, span: Option<&Id>, records: &mut dyn Iterator<Item = &'a [u8]>) -> u64 {
    let _entered = Entered::new(dispatch, span);
    // Records of one place often come in a row.
    let mut last: Option<(&[u8], &'static Site)> = None;
    let is_lost = |record: &&'a [u8]| {
        let delivered = caught(|| {
            let (head, values) = record::split(record)?;
            let site = match last {
                Some((of, site)) if of == head => site,
                _ => match callsites::find(head)? {
                    Found::Own(site) => site,
                    Found::Shared(site) => return send_shared(dispatch, span, site, head, values),
                },
            };
            last = Some((head, site));
            let values = record::values(values, site.own_metadata().fields().len())?;
            send(dispatch, span, site, &values);
            Some(())
        });
        delivered.flatten().is_none()
    };
    records.filter(is_lost).count() as u64
}

/// An event of a place that has no callsite of its own.
fn send_shared(dispatch: &Dispatch, span: Option<&Id>, site: &'static Site, head: &[u8], values: &[u8]) -> Option<()> {
    let Head { target, module_path, file, line, fields, .. } = record::head(head)?;
    let values = record::values(values, fields.len())?;
    let (mut message, mut others) = ("", String::new());
    for (name, value) in fields.into_iter().zip(&values) {
        match value {
            Value::Debug(text) | Value::Str(text) if name == "message" => message = text,
            value => others.push_str(&format!("{}{name}={value}", if others.is_empty() { "" } else { " " })),
        }
    }
    let line = Value::U64(line.unwrap_or_default().into());
    let [module_path, file] = [module_path, file].map(|text| Value::Str(text.unwrap_or_default()));
    let values = [Value::Debug(message), Value::Str(target), module_path, file, line, Value::Debug(&others)];
    send(dispatch, span, site, &values);
    Some(())
}

fn tell_dropped(dispatch: &Dispatch, span: Option<&Id>, count: u64) -> bool {
    let Some(site) = callsites::dropped() else { return true };
    let message = format!("{count} log {} dropped", if count == 1 { "event was" } else { "events were" });
    caught(|| send(dispatch, span, site, &[Value::Debug(&message), Value::U64(count)])).is_some()
}

/// As `tracing`'s macros do, with as many values as the callsite has fields.
fn send(dispatch: &Dispatch, span: Option<&Id>, site: &'static Site, values: &[Value<'_>]) {
    if !site.may_be_wanted() {
        return;
    }
    let metadata = site.own_metadata();
    if !(site.is_always_wanted() || dispatch.enabled(metadata)) {
        return;
    }
    let values: Vec<_> = values.iter().map(SubscriberValue::from).collect();
    let values: Vec<_> = values.iter().map(|value| Some(value.as_value())).collect();
    dispatch.event(&Event::new_child_of(span.cloned(), metadata, &metadata.fields().value_set_all(&values)));
}

/// A value in the type that a subscriber sees.
enum SubscriberValue<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Str(&'a str),
    Debug(DisplayValue<&'a str>),
    Error(Box<dyn Error + 'static>),
}

impl<'a> From<&Value<'a>> for SubscriberValue<'a> {
    fn from(value: &Value<'a>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::I64(value) => Self::I64(*value),
            Value::U64(value) => Self::U64(*value),
            Value::I128(value) => Self::I128(*value),
            Value::U128(value) => Self::U128(*value),
            Value::F64(value) => Self::F64(*value),
            Value::Str(value) => Self::Str(value),
            // Its `Debug` prints the text as it is.
            Value::Debug(text) => Self::Debug(field::display(text)),
            Value::Error(chain) => Self::Error(Box::new(Cause::of(chain))),
        }
    }
}

impl SubscriberValue<'_> {
    fn as_value(&self) -> &dyn field::Value {
        match self {
            Self::Bool(value) => value,
            Self::I64(value) => value,
            Self::U64(value) => value,
            Self::I128(value) => value,
            Self::U128(value) => value,
            Self::F64(value) => value,
            Self::Str(value) => value,
            Self::Debug(value) => value,
            Self::Error(error) => error,
        }
    }
}

/// For people: of a field among others.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::I128(value) => value.fmt(f),
            Self::U128(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
            Self::Str(value) => fmt::Debug::fmt(value, f),
            Self::Debug(text) => f.write_str(text),
            Self::Error(chain) => f.write_str(&chain.join(": ")),
        }
    }
}

/// An error that prints what another did, with its causes.
#[derive(Debug)]
struct Cause {
    text: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    fn of(chain: &[&str]) -> Self {
        let last = Self { text: String::new(), source: None };
        chain
            .iter()
            .rev()
            .fold(None, |source, text| Some(Self { text: (*text).to_owned(), source: source.map(Box::new) }))
            .unwrap_or(last)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests;
