//! The standard streams.

use super::gifts::Gift;
use super::win32::console;
use std::io;

/// From here on stderr is this pipe, for the C library, too.
pub(crate) fn replace_stderr(pipe: Gift) -> io::Result<()> {
    console::replace_stderr(
        std::os::windows::io::OwnedHandle::try_from(pipe).map_err(|e| io::Error::other(e.to_string()))?,
    )
}
