//! Which CPU a thread runs on, and moving it to another.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// No CPU that there is.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// The CPU that this thread runs on at the moment.
pub(crate) fn current() -> u32 {
    u32::try_from(rustix::thread::sched_getcpu()).unwrap_or(UNKNOWN)
}

/// Moves this thread from one CPU to any other that it may run on. False when there is none.
pub(crate) fn leave(cpu: u32) -> bool {
    go(
        |all, one| {
            let mut others = *all;
            others.unset(one);
            others
        },
        cpu,
    )
}

/// Moves this thread to a CPU. False when it may not run there.
pub(crate) fn join(cpu: u32) -> bool {
    go(
        |all, one| {
            let mut only = CpuSet::new();
            if all.is_set(one) {
                only.set(one);
            }
            only
        },
        cpu,
    )
}

/// Goes to one of some CPUs, and leaves it to the system where to go from there.
fn go(some: impl FnOnce(&CpuSet, usize) -> CpuSet, cpu: u32) -> bool {
    let Some(cpu) = usize::try_from(cpu).ok().filter(|cpu| *cpu < CpuSet::MAX_CPU) else { return false };
    let Ok(all) = sched_getaffinity(None) else { return false };
    let some = some(&all, cpu);
    if some.count() == 0 || sched_setaffinity(None, &some).is_err() {
        return false;
    }
    let _ = sched_setaffinity(None, &all);
    true
}

#[cfg(test)]
mod tests;
