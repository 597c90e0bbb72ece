//! One event as bytes: the length of its head, its head, and its values.
//!
//! The head is the same for all events of one place in the code, so the receiver compares heads as bytes, and decodes
//! each once.

use crate::level;
use log::kv::{self, Key, VisitSource, VisitValue};
use offproc_core::MAX_LOG_RECORD;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};
use std::ops::Range;
use tracing_core::Event;
use tracing_core::field::{Field, Visit};

/// How much of an event's text travels, in bytes. This leaves room for a head and for numbers.
const MOST_TEXT: usize = MAX_LOG_RECORD / 4 * 3;
/// How many causes of an error travel.
pub(crate) const MOST_CAUSES: usize = 64;

/// The part that is the same for all events of one place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head<'a> {
    pub(crate) level: u8,
    pub(crate) name: &'a str,
    pub(crate) target: &'a str,
    pub(crate) module_path: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
    #[serde(borrow)]
    pub(crate) fields: Vec<&'a str>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Str(&'a str),
    /// The text that its `Debug` printed.
    Debug(&'a str),
    /// The texts of an error and its causes.
    #[serde(borrow)]
    Error(Vec<&'a str>),
}

/// Appends an event.
pub(crate) fn encode(event: &Event<'_>, out: &mut Vec<u8>) {
    let metadata = event.metadata();
    let mut fields = EventFields::default();
    event.record(&mut fields);
    let head = Head {
        level: level::number_of(*metadata.level()),
        name: metadata.name(),
        target: metadata.target(),
        module_path: metadata.module_path(),
        file: metadata.file(),
        line: metadata.line(),
        fields: fields.names(),
    };
    append(&head, &fields.values(), out);
}

/// Appends a record of `log`.
pub(crate) fn encode_log(record: &log::Record<'_>, out: &mut Vec<u8>) {
    let mut fields = EventFields::default();
    fields.debug("message".into(), format_args!("{}", record.args()));
    // It only fails if a source of values does: then the record has those before it.
    let _ = record.key_values().visit(&mut fields);
    let head = Head {
        level: record.level() as u8,
        name: "log event",
        target: record.target(),
        module_path: record.module_path(),
        file: record.file(),
        line: record.line(),
        fields: fields.names(),
    };
    append(&head, &fields.values(), out);
}

pub(crate) fn append(head: &Head<'_>, values: &[Value<'_>], out: &mut Vec<u8>) {
    let at = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    put(head, out);
    let length = (out.len() - at - LENGTH) as u32;
    out[at..at + LENGTH].copy_from_slice(&length.to_le_bytes());
    for value in values {
        put(value, out);
    }
}

fn put(value: &impl Serialize, out: &mut Vec<u8>) {
    // It only fails if the output is full, which a vector never is.
    *out = postcard::to_extend(value, std::mem::take(out)).unwrap_or_default();
}

const LENGTH: usize = 4;

/// Splits a record into its head and its values. `None` if it is invalid.
pub(crate) fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = record.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// Decodes a whole head. `None` if it is invalid.
pub(crate) fn head(bytes: &[u8]) -> Option<Head<'_>> {
    match postcard::take_from_bytes(bytes) {
        Ok((head, [])) => Some(head),
        _ => None,
    }
}

/// Decodes exactly this many values. `None` if the bytes are anything else.
pub(crate) fn values(mut bytes: &[u8], count: usize) -> Option<Vec<Value<'_>>> {
    // Each takes more than a byte.
    let mut values = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
        // Errors are nested, and so is their drop: a longer chain could overflow the stack.
        if matches!(&value, Value::Error(chain) if chain.len() > MOST_CAUSES) {
            return None;
        }
        values.push(value);
        bytes = rest;
    }
    bytes.is_empty().then_some(values)
}

/// The fields of an event, with their text apart.
#[derive(Default)]
struct EventFields {
    values: Vec<(Cow<'static, str>, FieldValue)>,
    text: Text,
}

enum FieldValue {
    Plain(Value<'static>),
    Str(Range<usize>),
    Debug(Range<usize>),
    Error(Vec<Range<usize>>),
}

impl EventFields {
    fn print(&mut self, text: fmt::Arguments<'_>) -> Range<usize> {
        let start = self.text.text.len();
        // Text that does not fit is cut, and a `Debug` may fail: then the record has what it printed until then.
        let _ = self.text.write_fmt(text);
        start..self.text.text.len()
    }

    fn plain(&mut self, name: Cow<'static, str>, value: Value<'static>) {
        self.values.push((name, FieldValue::Plain(value)));
    }

    fn str(&mut self, name: Cow<'static, str>, value: &str) {
        let at = self.print(format_args!("{value}"));
        self.values.push((name, FieldValue::Str(at)));
    }

    fn debug(&mut self, name: Cow<'static, str>, text: fmt::Arguments<'_>) {
        let at = self.print(text);
        self.values.push((name, FieldValue::Debug(at)));
    }

    fn names(&self) -> Vec<&str> {
        self.values.iter().map(|(name, _)| &**name).collect()
    }

    fn values(&self) -> Vec<Value<'_>> {
        let text = |at: &Range<usize>| &self.text.text[at.clone()];
        let value = |value: &FieldValue| match value {
            FieldValue::Plain(value) => value.clone(),
            FieldValue::Str(at) => Value::Str(text(at)),
            FieldValue::Debug(at) => Value::Debug(text(at)),
            FieldValue::Error(chain) => Value::Error(chain.iter().map(text).collect()),
        };
        self.values.iter().map(|(_, field)| value(field)).collect()
    }
}

impl Visit for EventFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.plain(field.name().into(), Value::F64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name().into(), Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name().into(), Value::U64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.plain(field.name().into(), Value::I128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.plain(field.name().into(), Value::U128(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name().into(), Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.str(field.name().into(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let (mut chain, mut next) = (Vec::new(), Some(value));
        while let Some(error) = next.filter(|_| chain.len() < MOST_CAUSES) {
            chain.push(self.print(format_args!("{error}")));
            next = error.source();
        }
        self.values.push((field.name().into(), FieldValue::Error(chain)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.debug(field.name().into(), format_args!("{value:?}"));
    }
}

/// The key-values of a record of `log`. Its message is a field here, so a key of that name gets another.
impl<'kvs> VisitSource<'kvs> for EventFields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let name = if key.as_str() == "message" { "log.message" } else { key.as_str() };
        value.visit(PairVisitor { fields: self, name: name.to_owned().into() })
    }
}

struct PairVisitor<'a> {
    fields: &'a mut EventFields,
    name: Cow<'static, str>,
}

impl<'v> VisitValue<'v> for PairVisitor<'_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.fields.debug(std::mem::take(&mut self.name), format_args!("{value}"));
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.plain(Value::U64(value))
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.plain(Value::I64(value))
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), kv::Error> {
        self.plain(Value::U128(value))
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), kv::Error> {
        self.plain(Value::I128(value))
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.plain(Value::F64(value))
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.plain(Value::Bool(value))
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.fields.str(std::mem::take(&mut self.name), value);
        Ok(())
    }
}

impl PairVisitor<'_> {
    fn plain(&mut self, value: Value<'static>) -> Result<(), kv::Error> {
        self.fields.plain(std::mem::take(&mut self.name), value);
        Ok(())
    }
}

/// Text up to a length. Text that is cut ends with an ellipsis, and nothing comes after it.
#[derive(Default)]
struct Text {
    text: String,
    is_cut: bool,
}

impl Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let left = MOST_TEXT - self.text.len();
        if more.len() > left {
            let end = (0..=left).rev().find(|at| more.is_char_boundary(*at)).unwrap_or(0);
            self.text.push_str(&more[..end]);
            self.text.push('…');
            self.is_cut = true;
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
