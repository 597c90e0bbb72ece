//! Runs [offproc](https://docs.rs/offproc)'s calls on async-std.
//!
//! Programs turn on offproc's feature `async-std` and need nothing from here: a call made inside a task of async-std
//! finds it.
//!
//! async-std has no function of its own to watch a descriptor; this crate uses its reactor, that of `async-io`.
#![forbid(unsafe_code)]

use offproc_core::{PollSource, Readiness, Runtime, RuntimeId, watch_with_async_io};
use std::io;

/// The process-wide runtime of async-std.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

/// True inside a task of async-std.
#[must_use]
pub fn is_current() -> bool {
    async_std::task::try_current().is_some()
}

impl Runtime for AsyncStd {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("async-io", 0)
    }

    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>> {
        watch_with_async_io(source)
    }
}
