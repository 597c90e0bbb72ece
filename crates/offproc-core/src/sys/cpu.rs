//! Which CPU a thread runs on, and moving it to another.

use super::kernel;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// The number of no CPU.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// One more than the highest number of a CPU.
pub(crate) const MOST: usize = CpuSet::MAX_CPU;

/// True when this program can run on none of them. A thread made for that tries it: only the kernel knows how far the
/// program may widen its set. False where that is not known.
pub(crate) fn are_all_missing(cpus: &[usize]) -> bool {
    let mut set = CpuSet::new();
    cpus.iter().filter(|cpu| **cpu < MOST).for_each(|cpu| set.set(*cpu));
    let refused = move || sched_setaffinity(None, &set) == Err(rustix::io::Errno::INVAL);
    let tried = std::thread::Builder::new().name("offproc-cpus".into()).spawn(refused);
    tried.is_ok_and(|tried| tried.join().unwrap_or(false))
}

/// `sched_setaffinity`: binds the calling thread, and those that it starts, to these CPUs.
pub(crate) fn bind_to(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        if *cpu >= MOST {
            return Err(io::Error::other(format!("there is no CPU {cpu} to run on")));
        }
        set.set(*cpu);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// `sched_getcpu()`: the CPU that this thread runs on at the moment.
pub(crate) fn current() -> u32 {
    kernel::sched_getcpu().unwrap_or(UNKNOWN)
}

/// `sched_setaffinity`: moves this thread from one CPU to any other that it may run on. False when there is none.
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

/// `sched_setaffinity`: moves this thread to a CPU. False when it may not run there.
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

/// Moves to one of some CPUs, then lets the system move the thread on as it likes.
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
