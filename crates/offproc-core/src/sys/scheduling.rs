//! The scheduling of a thread: niceness, CPUs, policy and I/O priority. On Linux each thread has its own, and a new
//! process inherits that of the thread that starts it; the program's is that of its first thread.

use super::kernel;
use rustix::process::{Pid, getpid, getpriority_process, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// `None` for each part that the system does not report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scheduling {
    nice: Option<i32>,
    cpus: Option<Vec<usize>>,
    /// With the priority for those that have one.
    policy: Option<(i32, i32)>,
    io_priority: Option<i64>,
}

impl Scheduling {
    /// Of the program's first thread.
    pub(crate) fn of_program() -> Self {
        Self::of(Some(getpid()))
    }

    fn of(thread: Option<Pid>) -> Self {
        let number = thread.map_or(0, |thread| thread.as_raw_nonzero().get());
        Self {
            nice: getpriority_process(thread).ok(),
            cpus: cpus(thread),
            policy: kernel::sched_getscheduler(number),
            io_priority: kernel::ioprio_get(number),
        }
    }

    /// `sched_setscheduler`, `setpriority`, `sched_setaffinity`, `ioprio_set`: applies it to the calling thread, as far
    /// as that is allowed: less niceness than it has needs privileges.
    pub(crate) fn adopt(&self) {
        let own = Self::of(None);
        // First, as some policies know no niceness.
        if let Some((policy, priority)) = self.policy.filter(|_| self.policy != own.policy) {
            let _ = kernel::sched_setscheduler(policy, priority);
        }
        if let Some(nice) = self.nice.filter(|_| self.nice != own.nice) {
            let _ = setpriority_process(None, nice);
        }
        if let Some(cpus) = self.cpus.as_ref().filter(|_| self.cpus != own.cpus) {
            set_cpus(cpus);
        }
        if let Some(priority) = self.io_priority.filter(|_| self.io_priority != own.io_priority) {
            kernel::ioprio_set(priority);
        }
    }
}

fn cpus(thread: Option<Pid>) -> Option<Vec<usize>> {
    let set = sched_getaffinity(thread).ok()?;
    Some((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

fn set_cpus(cpus: &[usize]) {
    let mut set = CpuSet::new();
    cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(*cpu));
    let _ = sched_setaffinity(None, &set);
}
