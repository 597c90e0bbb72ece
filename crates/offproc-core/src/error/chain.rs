//! Errors without their types: what one and its causes print.

use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt::{self, Write};
use std::iter::successors;

/// The most causes that travel. Only a chain with a cycle is longer.
const MOST: usize = 100;

/// An error, with those that have caused it.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(error.source(), |&error| error.source()).take(MOST)
}

/// What an error prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    short: String,
    /// By `{:#}`, where that differs.
    long: Option<String>,
}

impl Message {
    /// If the error fails to print, this keeps what it has printed until then.
    pub(super) fn of(error: impl fmt::Display) -> Self {
        let (mut short, mut long) = (String::new(), String::new());
        let _ = write!(short, "{error}");
        let _ = write!(long, "{error:#}");
        Self { long: (long != short).then_some(long), short }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.long.as_ref().filter(|_| f.alternate()).unwrap_or(&self.short))
    }
}

/// An error as it travels. Flat, as reading nested data takes stack, and another process chooses how deep it is.
#[derive(Serialize, Deserialize)]
pub(super) struct Chain {
    pub(super) error: Message,
    causes: Vec<Message>,
}

impl Chain {
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        Self { error: Message::of(error), causes: causes(error).map(Message::of).collect() }
    }

    pub(super) fn into_error(self) -> Traveller {
        let causes = self.causes.into_iter().take(MOST).rev();
        let source = causes.fold(None, |source, message| Some(Box::new(Traveller { message, source })));
        Traveller { message: self.error, source }
    }
}

/// An error that has come from another process.
#[derive(Debug)]
pub(super) struct Traveller {
    message: Message,
    source: Option<Box<Traveller>>,
}

impl fmt::Display for Traveller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl Error for Traveller {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests;
