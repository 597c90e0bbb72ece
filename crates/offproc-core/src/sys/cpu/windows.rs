//! Which CPU a thread runs on. Threads are not moved: the system does that well.

use super::win32::this;
use std::io;

/// The number of no CPU.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// One more than the highest number of a CPU: those of a processor group, which is all that a job's limit can name.
pub(crate) const MOST: usize = usize::BITS as usize;

/// True when this program can run on none of them.
pub(crate) fn are_all_missing(cpus: &[usize]) -> bool {
    let count = std::thread::available_parallelism().map_or(MOST, usize::from);
    // The program may be limited to some that have higher numbers.
    cpus.iter().all(|cpu| *cpu >= count.max(MOST))
}

/// `SetProcessAffinityMask`: binds this process to these CPUs.
pub(crate) fn bind_to(cpus: &[usize]) -> io::Result<()> {
    let bit = |cpu: &usize| 1_usize.checked_shl(u32::try_from(*cpu).unwrap_or(u32::MAX));
    let mask = cpus.iter().try_fold(0, |mask, cpu| Some(mask | bit(cpu)?));
    this::set_affinity(mask.ok_or_else(|| io::Error::other("there are not so many CPUs in a group"))?)
}

/// `GetCurrentProcessorNumber`: the CPU that this thread runs on at the moment.
pub(crate) fn current() -> u32 {
    this::cpu()
}

/// Does not move the thread.
pub(crate) fn leave(_: u32) -> bool {
    false
}

/// Does not move the thread.
pub(crate) fn join(_: u32) -> bool {
    false
}
