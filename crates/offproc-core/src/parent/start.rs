//! From a launched process to a worker that is ready: the handshake, against a deadline.

use super::launcher::{Guard, Launched, Launcher};
use super::line::Line;
use super::runtime::Host;
use super::settings::{Settings, Transport};
use super::stream::StreamLine;
use super::turn::Turn;
use super::witness::Witness;
use super::worker::{Said, Worker};
use crate::error::death::Task;
use crate::error::{BrokenWorkerError, DecodeError, Error, Phase};
use crate::sys::image::Image;
use crate::sys::process::Child;
use crate::wire::codec;
use crate::wire::fork::Forked;
use crate::wire::frame::{Frame, Kind};
use crate::wire::hello::DEEPEST;
use crate::wire::message::{Failure, Welcome};
use crate::worker::entry;
use futures_lite::future;
use std::future::poll_fn;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

impl Worker {
    /// Starts a worker and waits until it is ready for jobs.
    ///
    /// # Errors
    ///
    /// [`Error::Spawn`]; [`Error::BrokenWorker`] when it died, and [`Error::Panicked`] when its `init` function
    /// panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what was started.
    pub async fn start(launcher: &dyn Launcher, settings: &Settings, host: &Host) -> Result<Self, Error> {
        may_start()?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut launched = launcher.launch(host, settings.start_timeout).await.map_err(Error::Spawn)?.0;
            if settings.kill_tree {
                launched.process.0.set_kill_tree();
            }
            // While a fork server forks.
            let mut shared = match settings.transport() {
                Transport::SharedMemory => Memory::create().map_err(Error::Spawn)?,
                Transport::Stream => None,
            };
            let hello = settings.hello(shared.is_some()).map_err(|reason| Error::Spawn(io::Error::other(reason)))?;
            let (witness, stderr) = Witness::new(settings, &launched.lifeline).map_err(Error::Spawn)?;
            launched.process.0.set_witness(witness);
            launched.descriptors.extend(stderr);
            if let Some(shared) = &mut shared {
                launched.descriptors.append(&mut shared.theirs);
            }
            let is_spare = launched.is_spare;
            match greet(launched, hello, settings, host).await {
                Ok(greeted) => {
                    launcher.prepare();
                    return Ok(greeted.into_worker(settings, shared));
                }
                Err(Error::BrokenWorker(e)) if attempt < ATTEMPTS && is_accident(&e) => {}
                // What kept it from being forked may be over.
                Err(Error::Spawn(e)) if attempt < ATTEMPTS && is_spare && e.kind() == io::ErrorKind::Other => {}
                Err(Error::BrokenWorker(mut e)) if matches!(e.phase(), Phase::Init | Phase::Sandbox) => {
                    let ran = if e.phase() == Phase::Init { settings.init } else { settings.sandbox };
                    e.first_mut().task = ran.map(|ran| Task {
                        function: ran as usize,
                        type_name: std::any::type_name::<fn()>(),
                        caller: None,
                    });
                    return Err(e.into());
                }
                Err(e) => return Err(e),
            }
        }
    }
}

/// Whether this process can have workers.
fn may_start() -> Result<(), Error> {
    let no = |reason: String| Err(Error::Spawn(io::Error::other(reason)));
    if !entry::is_initialised() {
        return no("this program has not called `offproc::init()`; without the feature `auto-init`, that must be the \
                   first line of `main`"
            .to_owned());
    }
    if entry::depth() >= DEEPEST {
        return no(format!(
            "workers of workers go {DEEPEST} deep at most; is a function calling itself through `run_sync`?"
        ));
    }
    Ok(())
}

/// How often a worker is started that ends by accident before it could begin.
const ATTEMPTS: u32 = 3;

/// A Ctrl+C in the moment before the new process ignores it; a fork server that died, of whose workers nobody knows
/// how they ended, or whose spare went with it: none of that has to do with what the worker is for.
fn is_accident(error: &BrokenWorkerError) -> bool {
    let is_foreign = match error.exit_status() {
        Some(status) => matches!(status.signal(), Some(libc::SIGINT | libc::SIGKILL)),
        None => true,
    };
    error.pid() == 0 || (error.phase() == Phase::Start && is_foreign)
}

/// The parent's side of the memory it will share with a worker.
#[cfg(any(target_os = "linux", target_os = "android"))]
struct Memory {
    memory: crate::sys::shared_memory::SharedMemory,
    bell: crate::sys::descriptors::Descriptor,
    theirs: Vec<crate::sys::descriptors::Descriptor>,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Memory {
    /// `None` where the system has no such memory to offer (an old kernel, or one that forbids it).
    fn create() -> io::Result<Option<Self>> {
        use crate::sys::shared_memory::{SharedMemory, bell};
        match SharedMemory::create() {
            Ok((memory, theirs)) => {
                let (bell, their_bell) = bell()?;
                Ok(Some(Self { memory, bell, theirs: vec![theirs, their_bell] }))
            }
            Err(e) if matches!(e.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => Err(e),
            Err(_) => Ok(None),
        }
    }

    fn line(self, stream: StreamLine, settings: &Settings) -> Box<dyn Line> {
        let Self { memory, bell, .. } = self;
        let looks = !settings.spin.is_zero();
        Box::new(super::shared::SharedLine::new(memory, bell, stream, limit(settings), looks))
    }
}

/// What a worker may say, in bytes: room for a frame's own words around a result that just fits.
fn limit(settings: &Settings) -> usize {
    const SLACK: usize = 4096;
    settings.frame_limit.saturating_add(SLACK)
}

/// A process that has said that it is ready.
pub(crate) struct Greeted {
    launched: Half,
    turn: Option<Turn>,
    line: StreamLine,
}

struct Half {
    process: Guard,
    lifeline: crate::sys::descriptors::Descriptor,
}

impl Greeted {
    fn into_worker(self, settings: &Settings, shared: Option<Memory>) -> Worker {
        let Self { launched: Half { process, lifeline }, line, .. } = self;
        let line: Box<dyn Line> = match shared {
            Some(shared) => shared.line(line, settings),
            None => Box::new(line),
        };
        Worker::new(process, line, lifeline, settings.frame_limit, settings.may_retire())
    }

    /// A helper that takes no jobs.
    pub(crate) fn into_helper(self, settings: &Settings) -> Worker {
        self.into_worker(settings, None)
    }
}

/// Sends a launched process its hello and waits until it is ready.
pub(crate) async fn greet(
    launched: Launched,
    hello: Vec<u8>,
    settings: &Settings,
    host: &Host,
) -> Result<Greeted, Error> {
    let Launched { process, control, lifeline, descriptors, turn, .. } = launched;
    let mut greeted = Greeted {
        launched: Half { process, lifeline },
        turn,
        line: StreamLine::new(control, hello, descriptors, limit(settings)),
    };
    let process = Arc::clone(&greeted.launched.process.0);
    let deadline = async {
        host.sleep_really(settings.start_timeout).await;
        Err(Error::Spawn(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the worker was not ready within {:?} and was killed {}", settings.start_timeout, process.phase()),
        )))
    };
    future::or(greeted.shake_hands(host), deadline).await?;
    Ok(greeted)
}

/// How many frames a handshake has: `Welcome`, `Sandboxes`, `Ready`, and `Forked`.
const MOST_HEARD: u32 = 4;

impl Greeted {
    async fn shake_hands(&mut self, host: &Host) -> Result<(), Error> {
        let (mut is_ready, mut heard) = (false, 0);
        while !is_ready || self.launched.process.0.child().is_none() {
            match poll_fn(|cx| self.poll_said(cx, host)).await {
                // A flood of them would keep this thread for ever.
                Said::Frame(_) if heard == MOST_HEARD => return Err(refused("it says too much")),
                Said::Frame(frame) => {
                    is_ready |= self.hear(&frame)?;
                    heard += 1;
                }
                Said::Garbage(e) => return Err(refused(&e.to_string())),
                Said::Ended | Said::NotTaken => {
                    let process = &self.launched.process.0;
                    poll_fn(|cx| process.poll_end_or_loss(cx)).await;
                    if process.is_unannounced() {
                        // It may live, and nobody knows which process it is. It goes when its lifeline is cut.
                        process.record_end(None);
                    }
                    return Err(Error::BrokenWorker(process.error()));
                }
            }
        }
        // Nothing else comes with what was said.
        self.line.take_descriptors();
        Ok(())
    }

    /// True when the worker is ready.
    fn hear(&mut self, frame: &Frame) -> Result<bool, Error> {
        match frame.kind {
            Kind::Welcome | Kind::Ready => {
                let welcome = codec::decode::<Welcome>(frame.body());
                match welcome {
                    Ok(welcome) if welcome.build == Image::current().build() => {
                        self.launched.process.0.set_inherited_memory(welcome.inherited_memory);
                    }
                    _ => return Err(refused("it is of another build of the program")),
                }
                self.launched.process.0.set_phase(Phase::Init);
                self.turn = None;
                return Ok(frame.kind == Kind::Ready);
            }
            Kind::Sandboxes => self.launched.process.0.set_phase(Phase::Sandbox),
            // From the fork server; it and the worker may be heard in any order.
            Kind::Forked => match (codec::decode::<Forked>(frame.body()), self.line.take_descriptor()) {
                (Ok(forked), Some(pidfd)) => {
                    self.launched.process.0.arrived(Child::of_another(forked.pid, pidfd));
                }
                _ => return Err(refused("the fork server did not say which process it is")),
            },
            Kind::Failed => {
                let failure = codec::decode::<Failure>(frame.body());
                return Err(failure.map_or_else(|m| Error::Decode(DecodeError(m)), Error::from));
            }
            Kind::Refused => {
                let reason = codec::decode::<String>(frame.body());
                return Err(refused(&reason.unwrap_or_else(|m| m)));
            }
            kind => return Err(refused(&format!("it began with an unexpected {kind:?}"))),
        }
        Ok(false)
    }

    fn poll_said(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<Said> {
        match self.line.poll_frame(cx, host, false) {
            Poll::Ready(Ok(frame)) => return Poll::Ready(Said::Frame(frame)),
            Poll::Ready(Err(e)) => return Poll::Ready(Said::of_error(e).unwrap_or(Said::Ended)),
            Poll::Pending => {}
        }
        ready!(self.launched.process.0.poll_end_or_loss(cx));
        // What it has said before its end is all there now.
        Poll::Ready(match self.line.last_frame(false) {
            Ok(Some(frame)) => Said::Frame(frame),
            _ => Said::Ended,
        })
    }
}

fn refused(reason: &str) -> Error {
    Error::Spawn(io::Error::other(format!("the worker refused to serve: {reason}")))
}
