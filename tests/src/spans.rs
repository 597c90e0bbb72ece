//! A subscriber that keeps spans, and the events in them, for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// A span, from its beginning on.
#[derive(Clone, Debug)]
pub struct Span {
    /// Tells it from others that are open.
    id: Id,
    /// Its name.
    pub name: &'static str,
    /// Whose.
    pub target: String,
    /// How important.
    pub level: Level,
    /// The name of the span that it is in.
    pub parent: Option<&'static str>,
    /// What was recorded, as text.
    pub fields: BTreeMap<&'static str, String>,
    /// The names of the fields that were recorded later, each as often as it was.
    pub records: Vec<&'static str>,
    /// It is over.
    pub is_closed: bool,
}

/// An event of offproc's.
#[derive(Clone, Debug)]
pub struct Happened {
    /// Its message.
    pub message: String,
    /// How important.
    pub level: Level,
    /// The name of the span that it is in.
    pub span: Option<&'static str>,
    /// Its other fields, as text.
    pub fields: BTreeMap<&'static str, String>,
}

type Hook = dyn Fn(&Happened) + Send + Sync;

/// What a subscriber has seen.
#[derive(Clone, Default)]
pub struct Spans {
    spans: Arc<Mutex<Vec<Span>>>,
    events: Arc<Mutex<Vec<Happened>>>,
    hook: Option<Arc<Hook>>,
}

impl Spans {
    /// Keeps what the whole process does.
    ///
    /// # Panics
    ///
    /// The process has a subscriber.
    #[must_use]
    pub fn globally() -> Self {
        Self::default().install()
    }

    /// The same; each event of offproc's is shown to the hook, which may block or panic.
    ///
    /// # Panics
    ///
    /// The process has a subscriber.
    #[must_use]
    pub fn globally_with(hook: impl Fn(&Happened) + Send + Sync + 'static) -> Self {
        Self { hook: Some(Arc::new(hook)), ..Self::default() }.install()
    }

    fn install(self) -> Self {
        tracing::subscriber::set_global_default(self.subscriber()).expect("the first one");
        self
    }

    /// One that keeps what it sees here.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        tracing_subscriber::registry().with(Keeps(self.clone()))
    }

    /// The spans of calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Span> {
        lock(&self.spans).iter().filter(|span| span.name == "offproc.call").cloned().collect()
    }

    /// Offproc's events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Happened> {
        lock(&self.events).clone()
    }

    /// Those with this message.
    #[must_use]
    pub fn events_of(&self, message: &str) -> Vec<Happened> {
        self.events().into_iter().filter(|event| event.message == message).collect()
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").field("spans", &lock(&self.spans)).field("events", &self.events()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Keeps(Spans);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keeps {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = context.span(id).and_then(|span| Some(span.parent()?.name()));
        let metadata = attributes.metadata();
        lock(&self.0.spans).push(Span {
            id: id.clone(),
            name: metadata.name(),
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            parent,
            fields: fields.0,
            records: Vec::new(),
            is_closed: false,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        let mut spans = lock(&self.0.spans);
        let span = spans.iter_mut().find(|span| span.id == *id && !span.is_closed).expect("it is open");
        span.records.extend(fields.0.keys());
        span.fields.extend(fields.0);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut spans = lock(&self.0.spans);
        let span = spans.iter_mut().find(|span| span.id == id && !span.is_closed).expect("it is open");
        span.is_closed = true;
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "offproc" {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let happened = Happened {
            message: fields.0.remove("message").unwrap_or_default(),
            level: *event.metadata().level(),
            span: context.event_span(event).map(|span| span.name()),
            fields: fields.0,
        };
        if let Some(hook) = &self.0.hook {
            hook(&happened);
        }
        lock(&self.0.events).push(happened);
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
