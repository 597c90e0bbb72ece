//! Runs [offproc](https://docs.rs/offproc)'s calls on async-std.
//!
//! Programs turn on offproc's feature `async-std` and need nothing from here: a call made inside a task of async-std
//! finds it by itself.
//!
//! async-std has no call of its own to watch a descriptor: its reactor is that of `async-io`, which is used here.
#![forbid(unsafe_code)]

use offproc_core::{BoxFuture, Descriptor, Runtime, RuntimeId, Watch, watch_with_async_io};
use std::io;
use std::time::Duration;

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

    fn watch(&self, descriptor: Descriptor) -> io::Result<Box<dyn Watch>> {
        watch_with_async_io(descriptor)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async_std::task::sleep(duration))
    }
}
