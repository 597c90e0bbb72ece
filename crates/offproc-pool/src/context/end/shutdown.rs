//! The end of the default context.

use super::futures::CloseWithin;
use crate::context::default::default_context;
use offproc_core::BrokenWorkerError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Ends the default context: [`close_within`](crate::WorkerContext::close_within) for it. Its later calls get
/// [`Error::Closed`](crate::Error::Closed), unless [`configure_default_context`](crate::configure_default_context)
/// makes another one.
///
/// A program that ends need not call this: its workers end with it. Call it if the program must have no workers from
/// some moment on: before it gives up privileges, and before it replaces itself by `exec`. The new program would not
/// reap the old one's workers, and each would stay as a zombie. Close your own contexts one by one.
///
/// # Errors
///
/// As [`close`](crate::WorkerContext::close).
///
/// # Cancel safety
///
/// Dropping the future after its first poll does not stop the closing, which goes on in the background, the kill
/// included.
///
/// # Examples
///
/// ```no_run
/// use std::os::unix::process::CommandExt;
/// use std::process::Command;
/// use std::time::Duration;
///
/// /// Replaces the program by its new version.
/// fn reload() -> std::io::Error {
///     if let Err(error) = offproc::shutdown(Duration::from_secs(5)).wait() {
///         eprintln!("workers did not end cleanly: {error}");
///     }
///     Command::new("/usr/local/bin/service").args(std::env::args_os().skip(1)).exec()
/// }
/// ```
pub fn shutdown(within: Duration) -> Shutdown {
    Shutdown { closing: None, within }
}

/// The future of [`shutdown`].
///
/// # Panics
///
/// When polled after it has resolved.
#[derive(Debug)]
#[must_use = "nothing is shut down until this is awaited"]
pub struct Shutdown {
    closing: Option<CloseWithin>,
    within: Duration,
}

impl Future for Shutdown {
    type Output = Result<(), BrokenWorkerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let within = self.within;
        let closing = self.closing.get_or_insert_with(|| CloseWithin::new(default_context().inner(), within));
        Pin::new(closing).poll(cx)
    }
}
