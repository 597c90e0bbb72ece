//! What offproc asks of an async runtime, and the one it brings along.

use crate::sys::descriptors::Descriptor;
use async_io::Async;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// A boxed future that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Tells one runtime from another, so that a worker that goes from one to the other is registered anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuntimeId {
    kind: &'static str,
    instance: u64,
}

impl RuntimeId {
    /// An id: the kind of runtime, and which one of its kind.
    #[must_use]
    pub const fn new(kind: &'static str, instance: u64) -> Self {
        Self { kind, instance }
    }
}

/// An async runtime: readiness of descriptors and timers.
///
/// The adapter crates implement it; a program only ever names one to pin a context to it.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Which runtime this is, now and on this thread.
    fn id(&self) -> RuntimeId;

    /// Watches a descriptor for readiness until the watch is dropped.
    ///
    /// # Errors
    ///
    /// The runtime is shutting down, or the system has no room for one more.
    fn watch(&self, descriptor: Descriptor) -> io::Result<Box<dyn Watch>>;

    /// A future that is ready after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
}

/// A watched descriptor.
///
/// "Ready" means: try again now. Whoever finds that the descriptor was not ready after all polls again, and must have
/// tried after the last `Ready` and before it relies on `Pending`.
pub trait Watch: fmt::Debug + Send + Sync {
    /// Ready when the descriptor may have become readable since the last time.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// True when each event is told once, read or not; false when readiness goes on until the descriptor was read.
    fn is_edge_triggered(&self) -> bool;

    /// Ready when the descriptor may have become writable since the last time.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The runtime for programs under any other executor, or none: the process-wide reactor of `async-io`. It is
/// shared with everything else in the program that is built on that crate, smol for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fallback;

/// Watches a descriptor with the process-wide reactor of `async-io`.
///
/// # Errors
///
/// As [`Runtime::watch`].
pub fn watch_with_async_io(descriptor: Descriptor) -> io::Result<Box<dyn Watch>> {
    Ok(Box::new(AsyncIoWatch(Async::new_nonblocking(descriptor)?)))
}

impl Runtime for Fallback {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("async-io", 0)
    }

    fn watch(&self, descriptor: Descriptor) -> io::Result<Box<dyn Watch>> {
        watch_with_async_io(descriptor)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async move {
            async_io::Timer::after(duration).await;
        })
    }
}

#[derive(Debug)]
struct AsyncIoWatch(Async<Descriptor>);

impl Watch for AsyncIoWatch {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    fn is_edge_triggered(&self) -> bool {
        false
    }
}

/// Where a call finds its runtime: the one its context is pinned to, or the one that polls it.
#[derive(Clone, Debug)]
pub struct Host {
    pinned: Option<Arc<dyn Runtime>>,
    detect: fn() -> &'static dyn Runtime,
}

impl Host {
    /// A host that detects the runtime at each use, unless one is pinned.
    #[must_use]
    pub fn new(pinned: Option<Arc<dyn Runtime>>, detect: fn() -> &'static dyn Runtime) -> Self {
        Self { pinned, detect }
    }

    /// The host of futures that are driven by offproc itself.
    #[must_use]
    pub fn fallback() -> Self {
        Self { pinned: None, detect: || &Fallback }
    }

    /// The runtime to use here and now.
    #[must_use]
    pub fn current(&self) -> &dyn Runtime {
        match &self.pinned {
            Some(pinned) => &**pinned,
            None => (self.detect)(),
        }
    }

    /// A future that is ready after `duration`; never, where the clock does not go that far.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        if duration >= CENTURY { Box::pin(std::future::pending()) } else { self.current().sleep(duration) }
    }

    /// The same by the wall clock, as what other processes do takes: a runtime's clock may run ahead of it (tokio's,
    /// when it is paused). It may be polled in one runtime after the other, the first of which may have ended.
    pub fn sleep_really(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let (mut host, start) = (self.clone(), Instant::now());
        let (mut runtime, mut sleep) = (host.current().id(), host.sleep(duration));
        poll_fn(move |cx| {
            loop {
                let now = host.current().id();
                if now != runtime {
                    (runtime, sleep) = (now, host.sleep(duration.saturating_sub(start.elapsed())));
                }
                ready!(sleep.as_mut().poll(cx));
                let left = duration.saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Poll::Ready(());
                }
                host = Self::fallback();
                (runtime, sleep) = (host.current().id(), host.sleep(left));
            }
        })
    }
}
