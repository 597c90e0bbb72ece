//! CPU time and memory used by this process or another.

use super::child::Wait;
use super::process::ProcessHandle;
use super::{kernel, syscall};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// `clock_gettime(CLOCK_PROCESS_CPUTIME_ID)`: the CPU time of this process, all its threads together.
pub(crate) fn own_cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// `clock_getcpuclockid`: the CPU time of the process that has this number now; `None` where there is none.
pub(crate) fn cpu_time(process: &ProcessHandle) -> Option<Duration> {
    let pid = process.pid();
    let pid = libc::pid_t::try_from(pid).ok()?;
    let time = kernel::process_cpu_time(pid)?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// `/proc/self/statm`: the resident memory of this process, in bytes; if the system does not report it, its peak.
pub(crate) fn own_resident_memory() -> u64 {
    resident("/proc/self/statm").unwrap_or_else(largest_resident)
}

/// `/proc/<pid>/statm`: the resident memory of another process, in bytes; `None` if the system does not report it.
pub(crate) fn resident_memory(process: &ProcessHandle) -> Option<u64> {
    let number = process.number_in_proc()?;
    if number > 0 { resident(&format!("/proc/{number}/statm")) } else { None }
}

fn resident(statm: &str) -> Option<u64> {
    let statm = std::fs::read_to_string(statm).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

/// `getrusage`: the peak resident memory of this process, in bytes.
pub(crate) fn largest_resident() -> u64 {
    syscall::getrusage_maxrss() * kernel::RESIDENT_UNIT
}
