//! CPU time and memory used by this process or another, which the system reports by the number of the process.

use super::child::Wait;
use super::process::ProcessHandle;
use super::{kernel, syscall};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// `clock_gettime(CLOCK_PROCESS_CPUTIME_ID)`: the CPU time of this process, all its threads together.
pub(crate) fn own_cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// The CPU time of the process that has this number now; `None` where there is none.
pub(crate) fn cpu_time(process: &ProcessHandle) -> Option<Duration> {
    Some(Duration::from_nanos(used_by(process.pid())?.cpu))
}

/// The resident memory of this process, in bytes; if the system does not report it, its peak.
pub(crate) fn own_resident_memory() -> u64 {
    used_by(std::process::id()).map_or_else(largest_resident, |used| used.resident)
}

/// The resident memory of the process that has this number now, in bytes; `None` where there is none.
pub(crate) fn resident_memory(process: &ProcessHandle) -> Option<u64> {
    Some(used_by(process.pid())?.resident)
}

fn used_by(pid: u32) -> Option<kernel::Used> {
    kernel::used_by(libc::pid_t::try_from(pid).ok()?)
}

/// `getrusage`: the peak resident memory of this process, in bytes.
pub(crate) fn largest_resident() -> u64 {
    syscall::getrusage_maxrss() * kernel::RESIDENT_UNIT
}
