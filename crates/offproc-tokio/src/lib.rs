//! Runs [offproc](https://docs.rs/offproc)'s calls on tokio: on its reactor.
//!
//! Programs turn on offproc's feature `tokio` and need nothing from here: a call made inside a tokio runtime finds
//! that. [`Tokio::from`] a [`Handle`] pins a context to one runtime.
//!
//! A runtime without an I/O driver, one that has ended, and one that does not run cannot be used as reactors: there,
//! calls use offproc's own.
#![forbid(unsafe_code)]

mod clock;
mod drivers;
mod running;
mod wakers;
#[cfg_attr(windows, path = "watch/windows.rs")]
mod watch;

use offproc_core::{ClockHold, PollSource, Readiness, Runtime, RuntimeId};
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use tokio::runtime::{Handle, RuntimeFlavor};

/// A tokio runtime: a given one, or the one that polls the call.
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
    /// The runtime that polls the call.
    pub const CURRENT: Self = Self { handle: None };

    /// `None` outside any runtime, and in a thread that is ending.
    fn handle(&self) -> Option<Handle> {
        match (Handle::try_current(), &self.handle) {
            (Err(e), _) if e.is_thread_local_destroyed() => None,
            (_, Some(pinned)) => Some(pinned.clone()),
            (current, None) => current.ok(),
        }
    }

    fn is(&self, current: &Handle) -> bool {
        self.handle.as_ref().is_none_or(|pinned| pinned.id() == current.id())
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

/// A number for each runtime.
fn number_of(handle: &Handle) -> u64 {
    let mut number = Number(0);
    handle.id().hash(&mut number);
    number.0
}

/// The same, but for a current-thread runtime another number on each thread: that it runs on one says nothing of
/// another thread, which may only have entered it.
fn number_here(handle: &Handle) -> u64 {
    let thread = match handle.runtime_flavor() {
        RuntimeFlavor::CurrentThread => THREAD.try_with(|number| *number).unwrap_or(0),
        _ => 0,
    };
    number_of(handle).rotate_left(32) ^ thread
}

static LAST_THREAD: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static THREAD: u64 = LAST_THREAD.fetch_add(1, Ordering::Relaxed) + 1;
}

impl Runtime for Tokio {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("tokio", self.handle().map_or(0, |handle| number_here(&handle)))
    }

    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>> {
        let handle = self.handle().ok_or_else(|| io::Error::other("there is no tokio runtime here"))?;
        wakers::learn();
        Ok(Box::new(drivers::watch(&handle, source)?))
    }

    fn drives(&self, waker: &Waker) -> bool {
        // A task of another runtime does not show that the pinned one runs.
        let current = Handle::try_current().ok().filter(|current| self.is(current));
        current.is_some_and(|current| {
            wakers::are_of(&current, waker)
                && (current.runtime_flavor() != RuntimeFlavor::CurrentThread
                    || running::runs_here(&current, number_of(&current), waker))
        })
    }

    fn hold_clock(&self) -> Option<ClockHold> {
        clock::hold(&self.handle()?)
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
