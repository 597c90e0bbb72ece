//! A subscriber that records events, for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::Id;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// One event, as the subscriber saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// How important.
    pub level: Level,
    /// Whose.
    pub target: String,
    /// The module that said it.
    pub module_path: Option<String>,
    /// The file that said it.
    pub file: Option<String>,
    /// And the line.
    pub line: Option<u32>,
    /// What it says.
    pub message: String,
    /// The other fields: how they were recorded, and what.
    pub fields: BTreeMap<&'static str, String>,
    /// The names of the spans it is in, the outermost first.
    pub spans: Vec<&'static str>,
    /// The same where one asks for the current span.
    pub is_inside: bool,
}

/// What a subscriber has seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// An event.
    Event(Said),
    /// The end of a span of this name.
    Closed(&'static str),
}

type Hook = Box<dyn Fn(&Said) + Send + Sync>;

/// What was seen so far.
#[derive(Clone, Default)]
pub struct Captured {
    seen: Arc<Mutex<Vec<Seen>>>,
    most: Arc<AtomicU8>,
    hook: Option<Arc<Hook>>,
}

impl Captured {
    /// Becomes the subscriber of this process, for everything.
    ///
    /// # Panics
    ///
    /// There is one.
    #[must_use]
    pub fn globally() -> Self {
        Self::globally_with(|_| {})
    }

    /// The same; each event is shown to the hook, which may block or panic.
    ///
    /// # Panics
    ///
    /// There is one.
    #[must_use]
    pub fn globally_with(hook: impl Fn(&Said) + Send + Sync + 'static) -> Self {
        let captured = Self { hook: Some(Arc::new(Box::new(hook))), ..Self::new() };
        tracing::subscriber::set_global_default(captured.subscriber()).expect("the first one");
        captured
    }

    /// For a subscriber of one thread.
    #[must_use]
    pub fn new() -> Self {
        Self { most: Arc::new(AtomicU8::new(5)), ..Self::default() }
    }

    /// One that keeps what it sees here.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + 'static {
        tracing_subscriber::registry().with(Capture(self.clone()))
    }

    /// From here on, wants events up to this level.
    pub fn set_level(&self, level: LevelFilter) {
        let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG];
        let most = levels.iter().take_while(|less| **less < level).count();
        self.most.store(most as u8, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    fn level(&self) -> LevelFilter {
        match self.most.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All there was.
    #[must_use]
    pub fn all(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    /// The events that were not offproc's own.
    #[must_use]
    pub fn events(&self) -> Vec<Said> {
        let seen = self.all();
        let events = seen.into_iter().filter_map(|seen| match seen {
            Seen::Event(said) => Some(said),
            Seen::Closed(_) => None,
        });
        events.filter(|said| said.target != "offproc").collect()
    }

    /// Their messages.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.events().into_iter().map(|said| said.message).collect()
    }

    /// How many events offproc says to have dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let dropped = |seen: &Seen| match seen {
            Seen::Event(said) if said.target == "offproc" => {
                said.fields.get("dropped")?.strip_prefix("u64 ")?.parse::<u64>().ok()
            }
            _ => None,
        };
        self.lock().iter().filter_map(dropped).sum::<u64>()
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

struct Capture(Captured);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.0.level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.level())
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = context.event_scope(event);
        let innermost = context.event_span(event).map(|span| span.id());
        let said = Said {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            module_path: metadata.module_path().map(str::to_owned),
            file: metadata.file().map(str::to_owned),
            line: metadata.line(),
            message: fields.0.remove("message").map_or_else(String::new, |text| text.replacen("debug ", "", 1)),
            fields: fields.0,
            spans: scope.into_iter().flat_map(|scope| scope.from_root()).map(|span| span.name()).collect(),
            is_inside: context.lookup_current().map(|span| span.id()) == innermost,
        };
        if let Some(hook) = &self.0.hook {
            hook(&said);
        }
        self.0.lock().push(Seen::Event(said));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let name = context.span(&id).map_or("?", |span| span.name());
        self.0.lock().push(Seen::Closed(name));
    }
}

/// Fields with the type they were recorded in.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name(), format!("f64 {value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name(), format!("i64 {value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), format!("u64 {value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.0.insert(field.name(), format!("i128 {value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.0.insert(field.name(), format!("u128 {value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name(), format!("bool {value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), format!("str {value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut chain = format!("error {value}");
        let mut next = value.source();
        while let Some(cause) = next {
            chain.push_str(&format!(": {cause}"));
            next = cause.source();
        }
        self.0.insert(field.name(), chain);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("debug {value:?}"));
    }
}
