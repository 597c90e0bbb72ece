//! Runs [offproc](https://docs.rs/offproc)'s calls on tokio: its reactor and its timer.
//!
//! Programs turn on offproc's feature `tokio` and need nothing from here: a call made inside a tokio runtime finds it
//! by itself. [`Tokio::from`] a [`Handle`] pins a context to one runtime.
//!
//! The runtime needs its I/O and time drivers, as `#[tokio::main]` and `Builder::enable_all` turn them on.
#![forbid(unsafe_code)]

use offproc_core::{BoxFuture, Descriptor, Runtime, RuntimeId, Watch};
use std::hash::{Hash, Hasher};
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

/// A tokio runtime: a given one, or the one that polls us.
///
/// # Panics
///
/// A call panics in a runtime without I/O or time drivers. [`CURRENT`](Self::CURRENT) does, too, where no tokio runtime
/// polls it.
///
/// # Examples
///
/// ```no_run
/// use offproc::WorkerContext;
/// use offproc::runtimes::Tokio;
/// use tokio::runtime::Handle;
///
/// # fn example() -> Result<(), offproc::ConfigError> {
/// let context = WorkerContext::builder().runtime(Tokio::from(Handle::current())).open()?;
/// # let _ = context;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Option<Handle>,
}

impl Tokio {
    /// The runtime that polls us, whichever that is.
    pub const CURRENT: Self = Self { handle: None };

    fn handle(&self) -> Handle {
        self.handle.clone().unwrap_or_else(Handle::current)
    }
}

impl From<Handle> for Tokio {
    fn from(handle: Handle) -> Self {
        Self { handle: Some(handle) }
    }
}

/// True inside a tokio runtime.
#[must_use]
pub fn is_current() -> bool {
    Handle::try_current().is_ok()
}

impl Runtime for Tokio {
    fn id(&self) -> RuntimeId {
        let mut number = Number(0);
        self.handle().id().hash(&mut number);
        RuntimeId::new("tokio", number.0)
    }

    fn watch(&self, descriptor: Descriptor) -> io::Result<Box<dyn Watch>> {
        let _entered = self.handle.as_ref().map(Handle::enter);
        // What replaces it is unsafe, for the sake of types that close or change their descriptor; a
        // `Descriptor` cannot.
        #[allow(deprecated, reason = "the descriptor is owned and never changes")]
        let watched = AsyncFd::with_interest(descriptor, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Box::new(TokioWatch(watched)))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        let _entered = self.handle.as_ref().map(Handle::enter);
        Box::pin(tokio::time::sleep(duration))
    }
}

/// tokio registers once, edge-triggered. The readiness it has noted is forgotten before the caller tries, so that
/// what comes after the try is noted anew.
#[derive(Debug)]
struct TokioWatch(AsyncFd<Descriptor>);

impl Watch for TokioWatch {
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

/// Takes the number out of a runtime's id, which can only be hashed.
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
