//! CPU time and memory used by this process or another.

use super::process::ProcessHandle;
use super::win32::{process, this};
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::time::Duration;

/// `GetProcessTimes`: the CPU time of this process, all its threads together.
pub(crate) fn own_cpu_time() -> Duration {
    of(this::process()).unwrap_or_default()
}

/// `GetProcessTimes`: the CPU time of another process.
pub(crate) fn cpu_time(process: &ProcessHandle) -> Option<Duration> {
    of(process.as_handle())
}

fn of(process: BorrowedHandle<'_>) -> Option<Duration> {
    process::cpu_times(process).ok().map(|[user, system]| user + system)
}

/// `GetProcessMemoryInfo`: the resident memory of this process, in bytes.
pub(crate) fn own_resident_memory() -> u64 {
    process::memory(this::process()).map_or(0, |memory| memory.resident)
}

/// `GetProcessMemoryInfo`: the resident memory of another process, in bytes.
pub(crate) fn resident_memory(process: &ProcessHandle) -> Option<u64> {
    process::memory(process.as_handle()).ok().map(|memory| memory.resident)
}

/// The peak of this process's resident memory that was another's. A new process begins with its own.
pub(crate) fn largest_resident() -> u64 {
    0
}
