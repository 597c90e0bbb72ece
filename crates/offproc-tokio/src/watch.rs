//! A descriptor that tokio watches.

use offproc_core::{PollSource, Readiness};
use std::io;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// tokio registers once, edge-triggered. This clears the readiness that tokio has recorded before the caller tries to
/// read or write, so that tokio records an event which comes after the try.
#[derive(Debug)]
pub(crate) struct Watch(AsyncFd<PollSource>);

impl Watch {
    /// With the runtime that is entered.
    ///
    /// # Errors
    ///
    /// The system cannot watch one more descriptor.
    ///
    /// # Panics
    ///
    /// The runtime has no I/O driver.
    pub(crate) fn new(source: PollSource) -> io::Result<Self> {
        // Its replacement is unsafe, as some types can close or change their descriptor; a `PollSource` cannot.
        #[allow(deprecated, reason = "the descriptor is owned and never changes")]
        AsyncFd::with_interest(source, Interest::READABLE | Interest::WRITABLE).map(Self)
    }
}

impl Readiness for Watch {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_write_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }

    fn is_edge_triggered(&self) -> bool {
        true
    }
}
