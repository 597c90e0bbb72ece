use super::backtrace::Backtrace;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The function panicked in the worker; this has the panic's message.
///
/// `{}` prints message and location, `{:#}` the backtrace as well, where there is one.
#[derive(Clone, Serialize, Deserialize)]
pub struct PanicError {
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) backtrace: Option<Box<Backtrace>>,
}

impl PanicError {
    /// The argument of `panic!`, if that was text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it panicked, as `file:line:column`.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The worker's backtrace, when `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asked for one there. `full` shows the
    /// frames of panic and worker, too.
    ///
    /// The worker only records addresses. The first call, or the first `{:#}`, looks up names, files and lines in the
    /// program's debug information: if that is large, it blocks for a good part of a second.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_ref().map(|backtrace| backtrace.text())
    }
}

impl fmt::Display for PanicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the function panicked in its worker: {}", self.message)?;
        if let Some(location) = &self.location {
            write!(f, " (at {location})")?;
        }
        match &self.backtrace {
            Some(backtrace) if f.alternate() => write!(f, "\nstack backtrace:\n{}", backtrace.text().trim_end()),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for PanicError {
    // Without the backtrace, whose addresses mean nothing to a reader.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanicError")
            .field("message", &self.message)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for PanicError {}
