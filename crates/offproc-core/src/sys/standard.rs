//! The descriptors of the standard streams.

use super::fd_numbers::open_above_standard;
use super::gifts::Gift;
use super::pairs::pair;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::fcntl_getfd;
use std::io;
use std::os::fd::OwnedFd;

/// `dup2`: makes stdin empty, and opens stdout and stderr onto nothing where they are closed, as std does for a
/// program: otherwise the next file that is opened would become one of them.
pub(crate) fn restore_standard() -> io::Result<()> {
    let nothing = nothing()?;
    rustix::stdio::dup2_stdin(&nothing)?;
    if fcntl_getfd(rustix::stdio::stdout()).is_err() {
        rustix::stdio::dup2_stdout(&nothing)?;
    }
    if fcntl_getfd(rustix::stdio::stderr()).is_err() {
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(())
}

/// `dup2`: what this process writes to stderr goes there.
pub(crate) fn replace_stderr(pipe: Gift) -> io::Result<()> {
    Ok(rustix::stdio::dup2_stderr(pipe)?)
}

/// `open("/dev/null")`: nothing to read from or write to.
pub(crate) fn nothing() -> io::Result<OwnedFd> {
    let null = || Ok([open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?]);
    match open_above_standard(null) {
        Ok([null]) => Ok(null),
        // Without /dev: a socket whose other end is closed is as empty.
        Err(_) => pair()?.0.into_owned(),
    }
}
