use std::borrow::Cow;
use std::fmt;

/// A setting that cannot work.
#[derive(Clone, Debug)]
pub struct ConfigError(Cow<'static, str>);

impl ConfigError {
    /// Which setting, and why not.
    #[doc(hidden)]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
