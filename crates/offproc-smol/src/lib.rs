//! Runs [offproc](https://docs.rs/offproc)'s calls on smol.
//!
//! Programs turn on offproc's feature `smol` and need nothing from here. smol has one reactor for the whole process,
//! so there is no runtime to find: with the feature on, every call that is not made inside another runtime uses it.
#![forbid(unsafe_code)]

/// The process-wide reactor and timer of smol, which are those of `async-io`: what offproc uses where there is no other
/// runtime.
pub use offproc_core::Fallback as Smol;
