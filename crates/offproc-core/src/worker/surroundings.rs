//! What a worker changes about itself before its first job.

use crate::error::about;
use crate::settings::resource::Resource;
use crate::settings::signals::Signals;
use crate::settings::surroundings::Surroundings;
use crate::sys::gifts::Gift;
use crate::sys::{environment, lifeline, limits, oom, signals};
use crate::wire::hello::{Hello, Inherited, Role};
use rustix::process::Rlimit;
use std::io;
use std::path::Path;

/// Makes the changes; an error says which one could not be made. `directory`: the program's, if this process has
/// another.
pub(super) fn apply(hello: &Hello, directory: Option<Gift>) -> io::Result<()> {
    let Hello { settings, .. } = hello;
    let kill_tree = settings.shutdown.kill_tree;
    signals::adopt(hello.ignored_signals);
    if settings.surroundings.signals == Signals::OwnGroup || kill_tree {
        rustix::process::setpgid(None, None)
            .map_err(|e| about("it could not be given a process group of its own (`Signals::OwnGroup`)", e))?;
        // In the background of the terminal, these would stop it silently.
        signals::ignore(libc::SIGTTIN);
        signals::ignore(libc::SIGTTOU);
    }
    let enclosed = match &hello.role {
        Role::Worker(enclosed) => enclosed,
        // Its workers change themselves; the server only ignores signals, in a group of its own if they have one.
        Role::ForkServer => {
            signals::ignore(libc::SIGTERM);
            return Ok(());
        }
    };
    if settings.surroundings.signals == Signals::IgnoreTerminate {
        signals::ignore(libc::SIGTERM);
    }
    if kill_tree {
        lifeline::cover_group()
            .map_err(|e| about("its lifeline could not be extended to its process group (`kill_tree`)", e))?;
    }
    oom::prefer(settings.limits.oom_score);
    if let Some(inherited) = &enclosed.inherited {
        inherit(inherited, directory)?;
    }
    let inherited = enclosed.inherited.iter().flat_map(|inherited| &inherited.environment);
    environment::change(inherited.chain(&settings.surroundings.environment));
    change(&settings.surroundings)?;
    for (resource, most) in &settings.limits.resource_limits {
        limit(*resource, *most)?;
    }
    // After the limit on the stack, which it has to know.
    if settings.diagnostics.fault_details {
        lifeline::report_faults()
            .map_err(|e| about("handlers for faults could not be installed (`fault_details`)", e))?;
    }
    Ok(())
}

fn change(wanted: &Surroundings) -> io::Result<()> {
    if let Some(directory) = &wanted.directory {
        std::env::set_current_dir(directory).map_err(|e| {
            about(format_args!("it could not change its directory to {}", Path::new(directory).display()), e)
        })?;
    }
    if let Some(nice) = wanted.nice {
        rustix::process::setpriority_process(None, nice)
            .map_err(|e| about(format_args!("its niceness could not be set to {nice}"), e))?;
    }
    if let Some(cpus) = &wanted.cpus {
        affinity(cpus)?;
    }
    Ok(())
}

/// Only downwards: never above what the program itself may have.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let refused = |e| about(format_args!("its resource limit {resource:?} could not be set to {most}"), e);
    let (_, hard) = limits::of(name(resource)).map_err(refused)?;
    let allowed = Some(hard.map_or(most, |hard| hard.min(most)));
    let limit = Rlimit { current: allowed, maximum: allowed };
    rustix::process::setrlimit(name(resource), limit).map_err(refused)
}

/// Applies what has changed in the program since this process's fork server started.
fn inherit(inherited: &Inherited, directory: Option<Gift>) -> io::Result<()> {
    if let Some(directory) = directory {
        rustix::process::fchdir(directory)
            .map_err(|e| about("it could not change to the program's working directory", e))?;
    }
    if let Some(umask) = inherited.umask {
        rustix::process::umask(rustix::fs::Mode::from_bits_truncate(umask));
    }
    for (place, limit) in &inherited.limits {
        limits::set(*place, *limit).map_err(|e| about("it could not be given the program's resource limits", e))?;
    }
    inherited.scheduling.adopt();
    Ok(())
}

fn name(resource: Resource) -> rustix::process::Resource {
    match resource {
        Resource::AddressSpace => rustix::process::Resource::As,
        Resource::CpuTime => rustix::process::Resource::Cpu,
        Resource::FileSize => rustix::process::Resource::Fsize,
        Resource::OpenFiles => rustix::process::Resource::Nofile,
        Resource::CoreSize => rustix::process::Resource::Core,
        Resource::Stack => rustix::process::Resource::Stack,
    }
}

fn affinity(cpus: &[usize]) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    for cpu in cpus {
        if *cpu >= rustix::thread::CpuSet::MAX_CPU {
            return Err(io::Error::other(format!("there is no CPU {cpu} to run on")));
        }
        set.set(*cpu);
    }
    rustix::thread::sched_setaffinity(None, &set)
        .map_err(|e| about(format_args!("it could not be bound to the CPUs {cpus:?}"), e))
}
