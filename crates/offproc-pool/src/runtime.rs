//! Finds the runtime that polls a call.

#[cfg(not(feature = "smol"))]
use offproc_core::AsyncIo;
use offproc_core::{Runtime, RuntimeSelector};

/// Selects the runtime that polls the calling future.
pub(crate) static CURRENT: RuntimeSelector = RuntimeSelector::new(None, detect);

/// The runtime that polls the calling future, by the adapters that were compiled in; the fallback serves any other
/// executor.
pub(crate) fn detect() -> &'static dyn Runtime {
    #[cfg(feature = "tokio")]
    if offproc_tokio::is_current() {
        return &offproc_tokio::Tokio::CURRENT;
    }
    #[cfg(feature = "async-std")]
    if offproc_async_std::is_current() {
        return &offproc_async_std::AsyncStd;
    }
    #[cfg(feature = "smol")]
    {
        &offproc_smol::Smol
    }
    #[cfg(not(feature = "smol"))]
    {
        &AsyncIo
    }
}
