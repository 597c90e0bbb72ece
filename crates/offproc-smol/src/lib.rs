//! Runs [offproc](https://docs.rs/offproc)'s calls on smol.
//!
//! Programs turn on offproc's feature `smol` and need nothing from here. smol has one reactor for the whole process, so
//! a call need not find its runtime: with the feature on, every call that is not made inside another runtime uses
//! smol's.
#![forbid(unsafe_code)]

use offproc_core::{AsyncIo, PollSource, Readiness, Runtime, RuntimeId};
use std::io;

/// The process-wide reactor of smol, which is that of `async-io`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Runtime for Smol {
    fn id(&self) -> RuntimeId {
        AsyncIo.id()
    }

    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>> {
        AsyncIo.watch(source)
    }
}
