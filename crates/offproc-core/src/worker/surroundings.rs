//! What a worker changes about itself before its first job.

use crate::sys::{environment, lifeline, signals};
use crate::wire::hello::{Resource, Signals, Surroundings};
use rustix::process::Rlimit;

/// Makes the changes; an error tells, in words, which one could not be made.
pub(super) fn apply(wanted: &Surroundings) -> Result<(), String> {
    if wanted.signals == Signals::IgnoreTerminate {
        signals::ignore(libc::SIGTERM);
    }
    if wanted.signals == Signals::OwnGroup || wanted.kill_tree {
        rustix::process::setpgid(None, None).map_err(|e| format!("a process group of its own: {e}"))?;
    }
    if wanted.kill_tree {
        lifeline::extend_to_group().map_err(|e| format!("the lifeline of its group: {e}"))?;
    }
    if wanted.fault_details {
        lifeline::tell_faults().map_err(|e| format!("handlers for faults: {e}"))?;
    }
    for (name, value) in &wanted.environment {
        environment::set(name, value.as_ref());
    }
    if let Some(directory) = &wanted.directory {
        std::env::set_current_dir(directory).map_err(|e| format!("directory {}: {e}", directory.display()))?;
    }
    if let Some(nice) = wanted.nice {
        rustix::process::setpriority_process(None, nice).map_err(|e| format!("niceness {nice}: {e}"))?;
    }
    if let Some(cpus) = &wanted.cpus {
        affinity(cpus)?;
    }
    for (resource, most) in &wanted.limits {
        // Only downwards: never above what the program itself may have.
        let hard = rustix::process::getrlimit(name(*resource)).maximum;
        let most = Some(hard.map_or(*most, |hard| hard.min(*most)));
        let limit = Rlimit { current: most, maximum: most };
        rustix::process::setrlimit(name(*resource), limit).map_err(|e| format!("limit {resource:?}: {e}"))?;
    }
    Ok(())
}

fn name(resource: Resource) -> rustix::process::Resource {
    match resource {
        Resource::AddressSpace => rustix::process::Resource::As,
        Resource::CpuTime => rustix::process::Resource::Cpu,
        Resource::FileSize => rustix::process::Resource::Fsize,
        Resource::OpenFiles => rustix::process::Resource::Nofile,
        Resource::CoreSize => rustix::process::Resource::Core,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn affinity(cpus: &[usize]) -> Result<(), String> {
    let mut set = rustix::thread::CpuSet::new();
    for cpu in cpus {
        if *cpu >= rustix::thread::CpuSet::MAX_CPU {
            return Err(format!("there is no CPU {cpu}"));
        }
        set.set(*cpu);
    }
    rustix::thread::sched_setaffinity(None, &set).map_err(|e| format!("CPUs {cpus:?}: {e}"))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn affinity(_: &[usize]) -> Result<(), String> {
    Err("this system cannot bind a process to CPUs".to_owned())
}
