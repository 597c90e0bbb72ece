//! A limit that holds whatever a decoder does.
//!
//! Decoders have limits of their own, which are a matter of trust: not all of them support all limits, and each has to
//! think of every allocation. The system needs no such cooperation. It refuses memory past the limit, and Rust aborts
//! then, which is the end of the process; where the process is a worker, that is one `Error::BrokenWorker`.

use image::Limits;

/// Caps the address space of this process until it is dropped: the next job may be somebody else's.
#[cfg(target_os = "linux")]
pub(crate) struct MemoryCap(rustix::process::Rlimit);

#[cfg(target_os = "linux")]
impl MemoryCap {
    pub(crate) fn new(bytes: u64) -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::As);
        let current = before.maximum.map_or(bytes, |maximum| bytes.min(maximum));
        setrlimit(Resource::As, Rlimit { current: Some(current), ..before })
            .expect("a limit below the maximum is allowed");
        Self(before)
    }

    /// None for the decoder, so that there is one limit, which is the system's.
    pub(crate) fn for_decoder(&self) -> Limits {
        Limits::no_limits()
    }
}

#[cfg(target_os = "linux")]
impl Drop for MemoryCap {
    fn drop(&mut self) {
        let _ = rustix::process::setrlimit(rustix::process::Resource::As, self.0);
    }
}

/// Where the system has no such limit, the decoder's own has to do.
#[cfg(not(target_os = "linux"))]
pub(crate) struct MemoryCap(u64);

#[cfg(not(target_os = "linux"))]
impl MemoryCap {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub(crate) fn for_decoder(&self) -> Limits {
        let mut limits = Limits::default();
        limits.max_alloc = Some(self.0);
        limits
    }
}
