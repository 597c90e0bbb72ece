//! Starts workers by a command of the program's: see [`WorkerType::command`](crate::WorkerType::command).

use super::launcher::{KillGuard, Launched, Launcher, Pairs, sealed, start_elsewhere, with_rights};
use crate::error::about;
use crate::parent::background::spawn_background;
use crate::parent::link::{Link, Listener, Start, drive};
use crate::parent::process::diagnostics::ExitDiagnostics;
use crate::parent::process::supervised::Process;
use crate::parent::runtime::{BoxFuture, RuntimeSelector};
use crate::settings::Settings;
use crate::sys::child::Child;
use crate::sys::command;
use crate::sys::image::Image;
use crate::wire::frame::Kind;
use crate::wire::link::{self, frame_of};
use std::fmt;
use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Makes the command that starts the worker with an index.
pub(crate) type MakeCommand = Arc<dyn Fn(usize) -> Command + Send + Sync>;

/// A worker for each command.
pub(crate) struct ByCommand {
    make: MakeCommand,
    /// Where they connect back to, once one was to.
    listener: Arc<Mutex<Option<Arc<Listener>>>>,
}

impl ByCommand {
    pub(crate) fn new(make: MakeCommand) -> Self {
        Self { make, listener: Arc::default() }
    }
}

impl fmt::Debug for ByCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByCommand").finish_non_exhaustive()
    }
}

impl sealed::Sealed for ByCommand {}

impl Launcher for ByCommand {
    fn launch(
        &self,
        settings: &Arc<Settings>,
        _runtime: &RuntimeSelector,
        timeout: Duration,
    ) -> BoxFuture<io::Result<sealed::Started>> {
        let (settings, make, listener) = (Arc::clone(settings), Arc::clone(&self.make), Arc::clone(&self.listener));
        let launched = start_elsewhere(timeout, move || {
            let start = expect(&settings, &listener)?;
            launch(&settings, &make, start)
        });
        Box::pin(async move {
            let mut started = launched.await?;
            // It may wait for long until an engine has room for it, and uses nothing of this machine meanwhile.
            started.0.permit = None;
            Ok(started)
        })
    }
}

/// Where the worker is to connect back, a start of that.
fn expect(settings: &Settings, listener: &Mutex<Option<Arc<Listener>>>) -> io::Result<Option<Start>> {
    let Some(address) = settings.transport.connect_back else { return Ok(None) };
    let mut listener = listener.lock().unwrap_or_else(PoisonError::into_inner);
    let open = match &*listener {
        Some(open) => Arc::clone(open),
        None => {
            let open = Listener::open(address)
                .map_err(|e| about(format_args!("{address} (`connect_back`) could not be listened on"), e))?;
            Arc::clone(listener.insert(open))
        }
    };
    open.expect().map(Some)
}

fn launch(settings: &Settings, make: &MakeCommand, start: Option<Start>) -> io::Result<Launched> {
    let mut command = make(settings.index.unwrap_or(0));
    let text = shown(&command);
    let Pairs { control, worker_control: stream, lifeline, worker_lifeline } =
        Pairs::open().map_err(|e| about("its sockets could not be made", e))?;
    let (diagnostics, stderr) =
        ExitDiagnostics::with_stderr().map_err(|e| about("the pipe for its stderr could not be made", e))?;
    let (started, rights) = with_rights(|| command::spawn(&mut command, stderr))
        .map_err(|e| about(format_args!("the command `{text}` could not be started"), e))?;
    let (child, pipes) = started;
    let child = Child::of_spawned(child)?;
    let link = Arc::new(Link::new(text, settings.index, pipes.stdin.clone()));
    let process = KillGuard(Process::adopt_for(Some(Arc::clone(&link) as _), child));
    let heartbeat = settings.transport.heartbeat;
    let greeting =
        link::Link { build: Image::current().build(), heartbeat, connect_back: start.as_ref().map(Start::ticket) };
    link.greet(&frame_of(Kind::Link, &greeting));
    spawn_background(drive(Arc::clone(&link), Arc::downgrade(&process.0), pipes, stream, heartbeat, start));
    let launched = Launched::new(process, control, lifeline, worker_lifeline, rights);
    Ok(Launched { gifts: Vec::new(), link: Some(link), diagnostics: Some(diagnostics), ..launched })
}

/// The command as a person would type it, more or less.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut text = String::new();
    for word in words {
        let word = word.to_string_lossy();
        let quote = if word.is_empty() || word.contains(char::is_whitespace) { "'" } else { "" };
        let space = if text.is_empty() { "" } else { " " };
        text.extend([space, quote, &*word, quote]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut command = Command::new("ssh");
        command.args(["host", "program with spaces", "", "--worker"]);
        assert_eq!(shown(&command), "ssh host 'program with spaces' '' --worker");
    }
}
