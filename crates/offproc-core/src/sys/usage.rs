//! What a process has used: CPU time and memory, of this process or another.
#![allow(unsafe_code)]

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The CPU time of this process, all its threads together.
pub(crate) fn own_cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// The CPU time of the process that has this number now; `None` where there is none.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write to what they are given, and nothing else.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) != 0
            || libc::clock_gettime(clock, &raw mut time) != 0
    };
    if failed {
        return None;
    }
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// The resident memory of this process, in bytes; where the system does not tell, the largest it ever was.
pub(crate) fn own_resident_memory() -> u64 {
    resident("/proc/self/statm").unwrap_or_else(largest_resident)
}

/// The resident memory of the process that has this number now, in bytes; `None` where the system does not tell.
pub(crate) fn resident_memory(pid: u32) -> Option<u64> {
    resident(&format!("/proc/{pid}/statm"))
}

fn resident(statm: &str) -> Option<u64> {
    let statm = std::fs::read_to_string(statm).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

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
