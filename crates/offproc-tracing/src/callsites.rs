//! Callsites for events from other processes.
//!
//! `tracing` has one callsite for each place in the code that emits events. For a place in a worker, this makes one
//! when the first event comes, and keeps it for as long as the program runs, as `tracing` requires. So their number is
//! bounded. Programs do not reach the bound; a compromised worker might: then the events of further places share one
//! callsite for each level, with the place in fields.

use crate::level;
use crate::record::{Head, head};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};
use tracing_core::callsite::{self, Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;
use tracing_core::{Level, LevelFilter, Metadata};

/// How many callsites there are at most, apart from the shared ones.
const MOST: usize = 4096;
/// How long their heads may be, together, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// How many fields an event may have.
const MOST_FIELDS: usize = 255;

/// A callsite that was made while the program runs.
#[derive(Debug)]
pub(crate) struct Site {
    // Set right after the site is made, as it contains the site's address.
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

impl Site {
    /// `None`: the head's level is none.
    fn make(head: &'static Head<'static>) -> Option<&'static Self> {
        let level = level::level(head.level)?;
        // Until all subscribers have registered their interest.
        let site = &*Box::leak(Box::new(Self { metadata: OnceLock::new(), interest: AtomicU8::new(SOMETIMES) }));
        let fields = FieldSet::new(&head.fields, Identifier(site));
        let Head { name, target, file, line, module_path, .. } = *head;
        let metadata = Metadata::new(name, target, level, file, line, module_path, fields, Kind::EVENT);
        let _ = site.metadata.set(metadata);
        Some(site)
    }

    /// The metadata of its place.
    pub(crate) fn own_metadata(&'static self) -> &'static Metadata<'static> {
        self.metadata.get().expect("set when it was made")
    }

    /// Whether any subscriber may want its events; if not, none is called.
    pub(crate) fn may_be_wanted(&'static self) -> bool {
        *self.own_metadata().level() <= LevelFilter::current() && self.interest.load(Ordering::Relaxed) != NEVER
    }

    /// Whether all subscribers want each of its events.
    pub(crate) fn is_always_wanted(&self) -> bool {
        self.interest.load(Ordering::Relaxed) == ALWAYS
    }
}

impl Callsite for Site {
    fn set_interest(&self, interest: Interest) {
        let interest = match interest {
            never if never.is_never() => NEVER,
            always if always.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'static> {
        self.metadata.get().expect("set when it was made")
    }
}

#[derive(Default)]
struct Sites {
    by_head: HashMap<&'static [u8], &'static Site>,
    bytes: usize,
}

static SITES: LazyLock<RwLock<Sites>> = LazyLock::new(RwLock::default);

/// The callsite of an event.
pub(crate) enum Found {
    Own(&'static Site),
    /// The shared one of its level, for places without one of their own; its fields are [`SHARED_FIELDS`].
    Shared(&'static Site),
}

/// The message, its place, and the other fields as text.
pub(crate) const SHARED_FIELDS: [&str; 6] =
    ["message", "event.target", "event.module_path", "event.file", "event.line", "event.fields"];

/// For offproc's own events, and for places without a callsite of their own.
fn make_registered(level: u8, name: &'static str, fields: &[&'static str]) -> Option<&'static Site> {
    let head =
        Head { level, name, target: "offproc", module_path: None, file: None, line: None, fields: fields.into() };
    let site = Site::make(Box::leak(Box::new(head)))?;
    callsite::register(site);
    Some(site)
}

fn shared(level: u8) -> Option<&'static Site> {
    static SHARED: [OnceLock<Option<&Site>>; 5] = [const { OnceLock::new() }; 5];
    let site = SHARED.get(usize::from(level).checked_sub(1)?)?;
    *site.get_or_init(|| make_registered(level, "event of a worker", &SHARED_FIELDS))
}

/// For the event that reports how many were dropped.
pub(crate) fn dropped() -> Option<&'static Site> {
    static DROPPED: OnceLock<Option<&Site>> = OnceLock::new();
    let level = level::number_of(Level::WARN);
    *DROPPED.get_or_init(|| make_registered(level, "log events dropped", &["message", "dropped"]))
}

/// The callsite for a head. `None` if the head is invalid.
pub(crate) fn find(bytes: &[u8]) -> Option<Found> {
    if let Some(site) = SITES.read().unwrap_or_else(PoisonError::into_inner).by_head.get(bytes) {
        return Some(Found::Own(site));
    }
    let Head { level, .. } = head(bytes).filter(|head| head.fields.len() <= MOST_FIELDS)?;
    level::level(level)?;
    let mut sites = SITES.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(site) = sites.by_head.get(bytes) {
        return Some(Found::Own(site));
    }
    if sites.by_head.len() >= MOST || sites.bytes + bytes.len() > MOST_BYTES {
        return shared(level).map(Found::Shared);
    }
    let kept: &'static [u8] = Box::leak(Box::from(bytes));
    let site = Site::make(Box::leak(Box::new(head(kept)?)))?;
    sites.bytes += kept.len();
    sites.by_head.insert(kept, site);
    // This calls subscribers, which may emit events themselves.
    drop(sites);
    callsite::register(site);
    Some(Found::Own(site))
}
