//! Memory of this process.
#![allow(unsafe_code)]

/// The largest resident memory this process ever had, in bytes.
pub(crate) fn largest_resident() -> u64 {
    // SAFETY: an all-zeroes `rusage` is valid, and `getrusage` fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit
}
