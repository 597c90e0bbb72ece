//! What a worker changes about itself before its first job.

use crate::error::about;
use crate::settings::signals::Signals;
use crate::settings::surroundings::Surroundings;
use crate::sys::gifts::Gift;
use crate::sys::{cpu, environment, lifeline, limits, oom, signals, surroundings};
use crate::wire::hello::{Hello, Inherited, Role};
use std::io;
use std::path::Path;

/// Makes the changes; an error says which one could not be made. `directory`: the program's, if this process has
/// another.
pub(super) fn apply(hello: &Hello, directory: Option<Gift>) -> io::Result<()> {
    let Hello { settings, .. } = hello;
    let kill_tree = settings.shutdown.kill_tree;
    signals::adopt(hello.ignored_signals);
    if settings.surroundings.signals == Signals::OwnGroup || kill_tree {
        surroundings::lead_own_group()
            .map_err(|e| about("it could not be given a process group of its own (`Signals::OwnGroup`)", e))?;
    }
    let enclosed = match &hello.role {
        Role::Worker(enclosed) => enclosed,
        // Its workers change themselves; the server only ignores signals, in a group of its own if they have one.
        Role::ForkServer => {
            signals::ignore_termination();
            return Ok(());
        }
    };
    if settings.surroundings.signals == Signals::IgnoreTerminate {
        signals::ignore_termination();
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
        limits::lower(resource.limited(), *most)
            .map_err(|e| about(format_args!("its resource limit {resource:?} could not be set to {most}"), e))?;
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
        surroundings::set_niceness(nice)
            .map_err(|e| about(format_args!("its niceness could not be set to {nice}"), e))?;
    }
    if let Some(cpus) = &wanted.cpus {
        cpu::bind_to(cpus).map_err(|e| about(format_args!("it could not be bound to the CPUs {cpus:?}"), e))?;
    }
    Ok(())
}

/// Applies what has changed in the program since this process's fork server started.
fn inherit(inherited: &Inherited, directory: Option<Gift>) -> io::Result<()> {
    if let Some(directory) = directory {
        surroundings::enter(directory)
            .map_err(|e| about("it could not change to the program's working directory", e))?;
    }
    if let Some(umask) = inherited.umask {
        surroundings::set_umask(umask);
    }
    for (place, limit) in &inherited.limits {
        limits::set(*place, *limit).map_err(|e| about("it could not be given the program's resource limits", e))?;
    }
    inherited.scheduling.adopt();
    Ok(())
}
