use serde::{Deserialize, Serialize};
use std::fmt;

/// A value could not be turned into bytes, in the caller (arguments) or in the worker (results).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EncodeError(pub(crate) String);

/// Bytes could not be turned back into a value, in the worker (arguments) or in the caller (results).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecodeError(pub(crate) String);

#[doc(hidden)]
impl EncodeError {
    /// Of a value whose `Serialize` has panicked, or of a poll that has.
    #[must_use]
    pub fn of_panic() -> Self {
        Self("a poll of the map panicked, in the `Serialize` of an item or in a waker".to_owned())
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EncodeError {}
impl std::error::Error for DecodeError {}
