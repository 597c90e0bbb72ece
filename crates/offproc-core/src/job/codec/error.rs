//! Why a value was not written or not read.

use crate::job::reason;
use serde::{de, ser};
use std::fmt::{self, Display};

/// One pointer, so that results stay small.
#[derive(Debug)]
pub(super) struct CodecError(Box<Cause>);

#[derive(Debug)]
pub(super) enum Cause {
    /// There is no room for more bytes.
    Full,
    LengthUnknown,
    NotSelfDescribing,
    End,
    /// Bytes that stand for nothing.
    Bad(&'static str),
    TooDeep,
    TooMany,
    /// The words of a type's own.
    Own(String),
}

impl CodecError {
    pub(super) fn is_full(&self) -> bool {
        matches!(*self.0, Cause::Full)
    }
}

impl From<Cause> for CodecError {
    #[cold]
    fn from(cause: Cause) -> Self {
        Self(Box::new(cause))
    }
}

impl Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Full => f.write_str("there is no room for it"),
            Cause::LengthUnknown => f.write_str(
                "it has a sequence or a map whose length its Serialize does not tell beforehand, as \
                 `#[serde(flatten)]` does not; collect it first",
            ),
            Cause::NotSelfDescribing => f.write_str(
                "it needs a self-describing format (untagged enums, `deserialize_any` and the like); convert it \
                 before the call, or send it as an `offproc::Json` (feature `json`)",
            ),
            Cause::End => f.write_str("its Deserialize reads more than its Serialize has written"),
            Cause::Bad(what) => {
                write!(f, "its Deserialize does not read what its Serialize has written ({what})")
            }
            Cause::TooDeep => f.write_str("it is nested too deeply for the stack of this thread"),
            Cause::TooMany => f.write_str("it has more than a million elements that take no bytes"),
            Cause::Own(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for CodecError {}

/// An error of a type's own. Where another format is packed inside the value, that may have dropped the words of an
/// attachment's error, which were noted beside it: they are added.
#[cold]
fn own(words: String) -> CodecError {
    let words = match reason::take_reason() {
        Some(noted) if !words.contains(&noted) => format!("{words} ({noted})"),
        _ => words,
    };
    Cause::Own(words).into()
}

impl ser::Error for CodecError {
    #[cold]
    fn custom<T: Display>(words: T) -> Self {
        own(words.to_string())
    }
}

impl de::Error for CodecError {
    #[cold]
    fn custom<T: Display>(words: T) -> Self {
        own(words.to_string())
    }
}
