//! Starts a worker: launch and handshake, and another attempt after a transient failure.

use super::background;
use super::channel::new_shm::NewShm;
use super::handshake::handshake;
use super::hello;
use super::launch::launcher::{Launched, Launcher};
use super::logs::delivery::Delivery;
use super::logs::pipe::LogPipe;
use super::process::diagnostics::ExitDiagnostics;
use super::process::leftovers;
use super::runtime::RuntimeSelector;
use super::start_failure::StartFailure;
use super::worker::{Outcome, Worker};
use crate::error::function::Task;
use crate::error::{Error, Phase, about};
use crate::job::chunk::most_bytes;
use crate::role;
use crate::settings::Settings;
use crate::settings::state_maker::StateMaker;
use crate::settings::transport::Transport;
use crate::sys::image::{is_in_executable, object_at};
use crate::wire::hello::DEEPEST;
use std::any::type_name;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;

/// How many attempts a start has, if failures are transient.
const ATTEMPTS: u32 = 3;

impl Worker {
    /// Starts a worker and waits until it is ready for jobs.
    ///
    /// # Errors
    ///
    /// [`Error::Spawn`]; [`Error::BrokenWorker`] when it died in a function of its context, such as `init`, and
    /// [`Error::Panicked`] when one of them panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the process that starts.
    pub async fn start(
        launcher: &dyn Launcher,
        settings: &Arc<Settings>,
        runtime: &RuntimeSelector,
    ) -> Result<Self, Error> {
        may_start()?;
        // The background thread reaps the new process, and the start waits with its reactor and timers.
        background::ensure().map_err(Error::Spawn)?;
        leftovers::reap();
        let mut attempt = 1;
        loop {
            match try_start(launcher, settings, runtime).await {
                Ok(worker) => return Ok(worker),
                Err(StartFailure::Transient(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(failure) => return Err(with_function(failure.into_error(), settings)),
            }
        }
    }
}

async fn try_start(
    launcher: &dyn Launcher,
    settings: &Arc<Settings>,
    runtime: &RuntimeSelector,
) -> Result<Worker, StartFailure> {
    let timeout = settings.start.start_timeout;
    let launched = launcher.launch(settings, runtime, timeout).await.map_err(StartFailure::fatal)?.0;
    if !launched.has_our_rights() {
        return Err(StartFailure::changing_rights());
    }
    if settings.shutdown.kill_tree {
        launched.process.0.set_kill_tree();
    }
    let Prepared { launched, hello, shared, mut logs } = Prepared::of(launched, settings)?;
    let pending = handshake(launched, hello, settings, runtime).await;
    if let (Err(_), Some(logs)) = (&pending, &mut logs) {
        poll_fn(|cx| logs.poll(cx)).await;
    }
    let pending = pending?;
    launcher.prepare();
    let mut worker = pending.into_worker(settings, shared);
    worker.set_logs(logs);
    if worker.has_our_rights() { Ok(worker) } else { Err(StartFailure::changing_rights()) }
}

/// A launched process, with the parts that are made for it while a fork server still forks.
struct Prepared {
    launched: Launched,
    hello: Vec<u8>,
    shared: Option<NewShm>,
    logs: Option<Delivery<Outcome>>,
}

impl Prepared {
    fn of(mut launched: Launched, settings: &Settings) -> Result<Self, StartFailure> {
        let failed = |what| move |e| StartFailure::fatal(about(what, e));
        let mut shared = match settings.transport.transport {
            _ if launched.link.is_some() => None,
            Transport::SharedMemory => NewShm::create(most_bytes(settings.transport.max_message_size))
                .map_err(failed("its shared memory could not be made"))?,
            Transport::Stream => None,
        };
        // In the order in which the hello names them.
        let inherited = launched.heritage.as_ref().map(|heritage| heritage.changes());
        let inherited = inherited.map(|(inherited, directory)| {
            launched.gifts.extend(directory);
            inherited
        });
        let hello = hello::of_worker(settings, shared.is_some(), inherited);
        let mut hello = hello.map_err(|reason| StartFailure::fatal(io::Error::other(reason)))?;
        settings.state.iter().for_each(|state| state.append_to(&mut hello));
        let (mut diagnostics, stderr) = match launched.diagnostics.take() {
            Some(diagnostics) => (diagnostics, None),
            None => ExitDiagnostics::new(settings, &launched.lifeline)
                .map_err(failed("the pipe for its stderr could not be made"))?,
        };
        launched.gifts.extend(stderr);
        let logs = settings.log_forwarding.as_ref().map(LogPipe::open).transpose();
        let logs = logs.map_err(failed("the pipe for its log could not be made"))?.map(|(logs, theirs)| {
            launched.gifts.extend(theirs);
            diagnostics.note_end_for(logs.writer_end());
            Delivery::new(logs)
        });
        launched.process.0.set_diagnostics(diagnostics);
        if let Some(shared) = &mut shared {
            launched.gifts.append(&mut shared.take_theirs());
        }
        Ok(Self { launched, hello, shared, logs })
    }
}

/// Adds the context's function in which a worker died.
fn with_function(mut error: Error, settings: &Settings) -> Error {
    if let Error::BrokenWorker(death) = &mut error {
        let named = |ran: fn()| Task { function: ran as usize, type_name: type_name::<fn()>(), caller: None };
        let ran = match death.phase() {
            Phase::Init => settings.start.init.map(named),
            Phase::State => settings.state.as_ref().map(StateMaker::task),
            Phase::Sandbox => settings.start.sandbox.map(named),
            _ => None,
        };
        death.first_mut().task = ran.map(Into::into);
    }
    error
}

/// Whether this process can have workers.
fn may_start() -> Result<(), Error> {
    let no = |reason: String| Err(Error::Spawn(io::Error::other(reason)));
    if !is_in_executable() {
        let library = object_at(may_start as fn() -> Result<(), Error> as usize).unwrap_or_default();
        return no(format!(
            "offproc is in a shared library here ({}), and a worker is the program's executable started once more, \
             which does not contain offproc; put the work into an executable of yours that uses offproc, and start \
             that from the library",
            library.display()
        ));
    }
    if !role::is_initialised() {
        return no("this program has not called `offproc::init()`; without the feature `auto-init`, that must be the \
                   first line of `main`"
            .to_owned());
    }
    if role::depth() >= DEEPEST {
        return no(format!(
            "workers can be nested {DEEPEST} deep at most; does a function call itself through `run_sync`?"
        ));
    }
    Ok(())
}
