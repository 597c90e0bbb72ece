//! Starts the program's own executable once more, as a worker.

use super::launcher::{KillGuard, Launched, Launcher, Pairs, sealed, start_elsewhere, with_rights};
use crate::error::about;
use crate::parent::process::supervised::Process;
use crate::parent::runtime::{BoxFuture, RuntimeSelector};
use crate::settings::Settings;
use crate::settings::signals::Signals;
use crate::sys::child::{Child, Extent, Terms};
use crate::sys::handover::Handover;
use crate::sys::spawn::start;
use crate::sys::{environment, executable};
use crate::wire::marker::{self, MARKER};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// `WorkerType::Spawn`: a new process of the same executable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spawn;

impl sealed::Sealed for Spawn {}

impl Launcher for Spawn {
    fn launch(
        &self,
        settings: &Arc<Settings>,
        _runtime: &RuntimeSelector,
        timeout: Duration,
    ) -> BoxFuture<io::Result<sealed::Started>> {
        // Starting a process blocks until the new program is loaded, about a millisecond: not on this thread.
        let settings = Arc::clone(settings);
        start_elsewhere(timeout, move || launch(&settings))
    }
}

fn launch(settings: &Settings) -> io::Result<Launched> {
    let privilege = environment::is_privileged_start().then(executable::privilege).flatten();
    if let Some(privilege) = privilege {
        return Err(io::Error::other(format!(
            "{} is {privilege}, and offproc makes no worker of such a program; have its launcher give it the \
             privileges instead (`AmbientCapabilities=` of systemd, `setpriv --ambient-caps`), or have an executable \
             without privileges do the work",
            executable::name().display()
        )));
    }
    let Pairs { control, worker_control, lifeline, worker_lifeline } =
        Pairs::open().map_err(|e| about("its sockets could not be made", e))?;
    // No `pre_exec`: std then uses `posix_spawn`, whose cost does not grow with the memory of this process.
    let mut command = executable::command()?;
    // From the first instruction on: loader and C library read some before offproc's code runs.
    for (name, value) in &settings.surroundings.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env(MARKER, marker::ours());
    let handover = Handover::begin(&mut command, worker_control)?;
    let terms = terms(settings);
    let (mut started, rights) = with_rights(|| {
        start(&mut command, &lifeline, &terms).map_err(|e| io::Error::new(e.kind(), executable::explain(&e)))
    })?;
    let given = handover.finish(&mut started);
    let child = Child::of_spawned(started)?;
    let bound = lifeline.bind(&child, &terms);
    let process = KillGuard(Process::adopt(child));
    given.and(bound).map_err(|e| about("its connection could not be given to it", e))?;
    Ok(Launched::new(process, control, lifeline, worker_lifeline, rights))
}

/// What the parent has to see to.
fn terms(settings: &Settings) -> Terms {
    let limits = settings.limits.resource_limits.iter().map(|(resource, most)| (resource.limited(), *most));
    Terms {
        extent: Extent::of(settings.shutdown.kill_tree),
        limits: limits.collect(),
        leads_group: settings.surroundings.signals == Signals::OwnGroup,
        inherits_descriptors: settings.surroundings.inherit_descriptors,
    }
}
