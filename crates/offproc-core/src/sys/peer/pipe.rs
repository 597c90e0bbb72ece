//! Which process made the pipe at stdin, by which a worker gets its connection.

use super::win32::console::{self, Standard};
use super::win32::process;
use crate::error::about;
use std::io;

/// `GetNamedPipeServerProcessId`: confirms that the pipe at stdin was made by the process that has started this one.
pub(crate) fn must_be_parent() -> io::Result<()> {
    let stdin = console::standard(Standard::Input).ok_or_else(|| io::Error::other("it has no stdin"))?;
    let maker = process::maker_of(stdin).map_err(|e| about("its stdin is not a private pipe of its parent", e))?;
    let starter = process::starter_of(std::process::id()).map_err(|e| about("its parent could not be found", e))?;
    if starter == Some(maker) {
        Ok(())
    } else {
        Err(io::Error::other(format!("the pipe at its stdin belongs to process {maker}, not to its parent")))
    }
}
