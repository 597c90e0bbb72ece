use serde::{Deserialize, Serialize};
use std::fmt;

/// A call of `run_with`, or a map of `map_with`, needs a state of another type than its context has, or its context has
/// none.
///
/// # Examples
///
/// ```
/// use offproc::{Error, WorkerContext};
///
/// let context = WorkerContext::builder().init_with(2, |factor: u32| f64::from(factor)).open()?;
/// match context.run_with(|state: &mut String, ()| state.len(), ()).wait() {
///     Err(Error::State(wrong)) => assert_eq!((wrong.wanted(), wrong.found()), ("alloc::string::String", Some("f64"))),
///     other => unreachable!("{other:?}"),
/// }
/// # Ok::<(), offproc::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateError {
    wanted: String,
    found: Option<String>,
}

impl StateError {
    /// The types by name: that of the call, and that of its context.
    #[doc(hidden)]
    #[must_use]
    pub fn new(wanted: &str, found: Option<&str>) -> Self {
        Self { wanted: wanted.to_owned(), found: found.map(str::to_owned) }
    }

    /// The type of state that the function takes, as [`type_name`](std::any::type_name) writes it.
    #[must_use]
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// The type of state that the workers of the context have; `None` where they have none.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, found } = self;
        write!(f, "the function takes a state of type `{wanted}`, and ")?;
        match found {
            Some(found) => write!(f, "workers of this context have one of type `{found}`"),
            None => f.write_str("workers of this context have no state; `init_with` gives them one"),
        }
    }
}

impl std::error::Error for StateError {}
