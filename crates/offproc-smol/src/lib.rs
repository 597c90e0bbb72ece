//! Runs [offproc](https://docs.rs/offproc)'s calls on smol.
//!
//! Programs turn on offproc's feature `smol` and need nothing from here. smol has one reactor for the whole process,
//! so there is no runtime to find: with the feature on, every call that is not made inside another runtime uses it.
#![forbid(unsafe_code)]

use offproc_core::{BoxFuture, Descriptor, Runtime, RuntimeId, Watch, watch_with_async_io};
use std::io;
use std::time::Duration;

/// The process-wide reactor, timer and blocking threads of smol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Runtime for Smol {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("async-io", 0)
    }

    fn watch(&self, descriptor: Descriptor) -> io::Result<Box<dyn Watch>> {
        // `smol::Async` is this very type.
        watch_with_async_io(descriptor)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async move {
            smol::Timer::after(duration).await;
        })
    }

    fn unblock(&self, work: Box<dyn FnOnce() + Send>) {
        smol::unblock(work).detach();
    }
}
