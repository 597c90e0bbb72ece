//! Which runtime polls us.

#[cfg(not(feature = "smol"))]
use offproc_core::Fallback;
use offproc_core::Runtime;

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
        &Fallback
    }
}
