//! The interface of an async runtime, and the runtime that offproc has itself.

use super::reactor;
pub use crate::sys::poll_source::PollSource;
use async_io::Async;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A boxed future that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The identity of a runtime. A worker that a call polls in another runtime than the last one is registered anew.
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

/// Keeps a runtime's clock from running ahead, until it is dropped.
pub type ClockHold = Box<dyn fmt::Debug + Send + Sync>;

/// An async runtime, which reports when a [`PollSource`] is ready.
///
/// The runtimes are in [`offproc::runtimes`](https://docs.rs/offproc/latest/offproc/runtimes/index.html), to
/// [pin](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.runtime) a context to one. The
/// methods are not part of offproc's public interface and change between versions.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Which runtime this is, now and on this thread.
    #[doc(hidden)]
    fn id(&self) -> RuntimeId;

    /// Watches a source for readiness until what it returns is dropped.
    ///
    /// # Errors
    ///
    /// The runtime has ended or has no reactor, or the system has no room for one more.
    #[doc(hidden)]
    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>>;

    /// Whether it is offproc's own, whose thread always waits for its sources.
    #[doc(hidden)]
    fn is_own(&self) -> bool {
        false
    }

    /// Whether `waker` wakes a task of a runtime of this kind, whose threads go back to their reactor when the task
    /// waits. Any other waker may belong to a thread that blocks on this very call, and runs no reactor meanwhile.
    #[doc(hidden)]
    fn drives(&self, waker: &Waker) -> bool {
        let _ = waker;
        true
    }

    /// Holds the runtime's clock, if that would run ahead while a task only waits for a call; `None` if it would not.
    #[doc(hidden)]
    fn hold_clock(&self) -> Option<ClockHold> {
        None
    }
}

/// The readiness of a watched source.
///
/// "Ready" means: try again now. A caller that finds the source not ready after all polls again; it must have tried
/// after the last `Ready` before it relies on `Pending`.
pub trait Readiness: fmt::Debug + Send + Sync {
    /// Ready when the descriptor may have become readable since the last time.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// True if each event is reported once, read or not; false if readiness lasts until the descriptor is read.
    fn is_edge_triggered(&self) -> bool;

    /// Ready when the descriptor may have become writable since the last time.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The runtime for programs under any other executor, or none: the process-wide reactor of `async-io`. All other code
/// in the program that is built on that crate, such as smol, shares it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncIo;

/// Watches a descriptor with the process-wide reactor of `async-io`.
///
/// # Errors
///
/// As [`Runtime::watch`].
pub fn watch_with_async_io(source: PollSource) -> io::Result<Box<dyn Readiness>> {
    reactor::ensure()?;
    Ok(Box::new(AsyncIoReadiness(Async::new_nonblocking(source)?)))
}

impl Runtime for AsyncIo {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("async-io", 0)
    }

    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>> {
        watch_with_async_io(source)
    }

    fn is_own(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct AsyncIoReadiness(Async<PollSource>);

impl Readiness for AsyncIoReadiness {
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

thread_local! {
    // Without a destructor, so that it exists as long as the thread.
    static CURRENT: Cell<Option<&'static dyn Runtime>> = const { Cell::new(None) };
}

/// The runtime of whatever this thread polls from now on, however its selector was made. Returns the one before.
pub(super) fn replace_current(runtime: Option<&'static dyn Runtime>) -> Option<&'static dyn Runtime> {
    CURRENT.try_with(|current| current.replace(runtime)).ok().flatten()
}

/// Selects the runtime of a call: the one that its context is pinned to, or the one that polls it.
#[derive(Clone, Debug)]
pub struct RuntimeSelector {
    pinned: Option<Arc<dyn Runtime>>,
    detect: fn() -> &'static dyn Runtime,
}

impl RuntimeSelector {
    /// A selector that detects the runtime at each use, unless one is pinned.
    #[must_use]
    pub const fn new(pinned: Option<Arc<dyn Runtime>>, detect: fn() -> &'static dyn Runtime) -> Self {
        Self { pinned, detect }
    }

    /// The selector for futures that offproc itself drives.
    #[must_use]
    pub fn fallback() -> Self {
        Self { pinned: None, detect: || &AsyncIo }
    }

    /// One runtime, always.
    pub(crate) fn only(runtime: impl Runtime) -> Self {
        Self { pinned: Some(Arc::new(runtime)), detect: || &AsyncIo }
    }

    /// The runtime to use now: for a future that blocks its thread, which may be its runtime's only one, that thread.
    #[must_use]
    pub fn current(&self) -> &dyn Runtime {
        match (CURRENT.try_with(Cell::get).ok().flatten(), &self.pinned) {
            (Some(current), _) => current,
            (None, Some(pinned)) => &**pinned,
            (None, None) => (self.detect)(),
        }
    }
}
