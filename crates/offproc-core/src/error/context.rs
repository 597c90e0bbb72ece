use std::fmt;
use std::io;

/// The same error, preceded by what failed, and on which object.
pub(crate) fn about(what: impl fmt::Display, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
