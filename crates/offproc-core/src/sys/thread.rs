//! Starting a thread.

use super::calls;
use std::ffi::CStr;
use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread with a name and, unless it is `None`, a stack of this size.
///
/// # Errors
///
/// The system has no room for one more thread.
pub(crate) fn start(
    name: &str,
    stack: Option<usize>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    // What std does to start a thread is compiled once, and not once for each kind of work.
    boxed(name, stack, Box::new(work))
}

fn boxed(name: &str, stack: Option<usize>, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    let builder = Builder::new().name(name.to_owned());
    match stack {
        Some(size) => builder.stack_size(size),
        None => builder,
    }
    .spawn(work)
}

/// The name of the calling thread, which tools show; of the process, where it is the first one.
pub(crate) fn set_own_name(name: &CStr) {
    calls::set_name(name);
}
