use std::fmt;

/// A value could not be turned into bytes, in the caller (arguments) or in the worker (results).
#[derive(Clone, Debug)]
pub struct EncodeError(pub(crate) String);

/// Bytes could not be turned back into a value, in the worker (arguments) or in the caller (results).
#[derive(Clone, Debug)]
pub struct DecodeError(pub(crate) String);

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
