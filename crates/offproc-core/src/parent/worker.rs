//! A worker, as the parent holds it: started, given jobs, asked to leave, killed.

use super::launcher::{Guard, Launched, Launcher};
use super::line::Line;
use super::process::Process;
use super::runtime::Host;
use super::settings::Settings;
use super::stream::StreamLine;
use crate::error::{BrokenWorkerError, DecodeError, Error, Phase};
use crate::sys::descriptors::Descriptor;
use crate::sys::process::Child;
use crate::wire::codec;
use crate::wire::fork::Forked;
use crate::wire::frame::{Frame, Kind};
use crate::wire::hello::DEEPEST;
use crate::wire::message::{Answer, Failure, Request, Welcome};
use crate::worker::entry;
use futures_lite::future;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What became of a posted job.
#[derive(Debug)]
pub enum Outcome {
    /// The worker answered.
    Answered(Answer),
    /// The worker had left, or was gone, before it took the job: it did not run, and may run elsewhere.
    NotTaken,
    /// The worker died, and the job may have begun.
    Broken(BrokenWorkerError),
}

/// What a worker says after a job, where its context has a `retire` function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes another job.
    Stays,
    /// It takes no job any more.
    Leaves,
}

/// A worker process and the connection to it. Dropping it kills the process, unless that has been seen to end.
#[derive(Debug)]
pub struct Worker {
    // In this order: the process is killed before its lines are cut.
    process: Guard,
    line: Box<dyn Line>,
    // Held for its closing: see `sys::lifeline`.
    _lifeline: Descriptor,
    gives_verdicts: bool,
    awaits_verdict: bool,
    hung_up: bool,
    is_spent: bool,
    is_late: bool,
}

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
        if !entry::is_initialised() {
            return Err(Error::Spawn(io::Error::other(
                "this program has not called `offproc::init()`; without the feature `auto-init`, that must be the \
                 first line of `main`",
            )));
        }
        if entry::depth() >= DEEPEST {
            return Err(Error::Spawn(io::Error::other(format!(
                "workers of workers go {DEEPEST} deep at most; is a function calling itself through `run_sync`?"
            ))));
        }
        let hello = settings.hello().map_err(|reason| Error::Spawn(io::Error::other(reason)))?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let launched = launcher.launch(host).await.map_err(Error::Spawn)?.0;
            match Self::greet(launched, hello.clone(), settings, host).await {
                Err(Error::BrokenWorker(e)) if attempt < ATTEMPTS && is_accident(&e) => {}
                other => return other,
            }
        }
    }

    /// Makes a worker of a process that waits for its hello.
    pub(super) async fn greet(
        launched: Launched,
        hello: Vec<u8>,
        settings: &Settings,
        host: &Host,
    ) -> Result<Self, Error> {
        let deadline = async {
            host.sleep(settings.start_timeout).await;
            Err(Error::Spawn(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the worker was not ready within {:?} and was killed", settings.start_timeout),
            )))
        };
        let mut worker = Self::new(launched, hello, settings);
        future::or(worker.shake_hands(host), deadline).await?;
        Ok(worker)
    }

    fn new(launched: Launched, hello: Vec<u8>, settings: &Settings) -> Self {
        let Launched { process, control, lifeline, descriptors } = launched;
        Self {
            process,
            line: Box::new(StreamLine::new(control, hello, descriptors, settings.frame_limit.saturating_add(SLACK))),
            _lifeline: lifeline,
            gives_verdicts: settings.may_retire(),
            awaits_verdict: false,
            hung_up: false,
            is_spent: false,
            is_late: false,
        }
    }

    async fn shake_hands(&mut self, host: &Host) -> Result<(), Error> {
        let mut is_ready = false;
        while !is_ready || self.process.0.child().is_none() {
            let said = poll_fn(|cx| self.poll_said(cx, host)).await;
            match said {
                Said::Frame(frame) => match frame.kind {
                    Kind::Welcome => {
                        let build = codec::decode::<Welcome>(frame.body()).map(|welcome| welcome.build);
                        if build != Ok(crate::sys::image::Image::current().build()) {
                            return Err(refused("the worker is of another build of the program"));
                        }
                        self.process.0.set_phase(Phase::Init);
                    }
                    Kind::Ready => is_ready = true,
                    // From the fork server; it and the worker may be heard in any order.
                    Kind::Forked => match (codec::decode::<Forked>(frame.body()), self.line.take_descriptor()) {
                        (Ok(forked), Some(pidfd)) => self.process.0.arrived(Child::of_another(forked.pid, pidfd)),
                        _ => return Err(refused("the fork server did not say which process it is")),
                    },
                    Kind::Failed => {
                        return Err(codec::decode::<Failure>(frame.body())
                            .map_or_else(|m| Error::Decode(DecodeError(m)), Error::from));
                    }
                    Kind::Refused => {
                        let reason = codec::decode::<String>(frame.body());
                        return Err(refused(&reason.unwrap_or_else(|m| m)));
                    }
                    kind => return Err(refused(&format!("it began with an unexpected {kind:?}"))),
                },
                Said::Garbage(e) => return Err(refused(&e.to_string())),
                Said::Ended { .. } => {
                    poll_fn(|cx| self.process.0.poll_end(cx)).await;
                    return Err(Error::BrokenWorker(self.process.0.error()));
                }
            }
        }
        self.line.end_handshake();
        self.process.0.set_phase(Phase::Idle);
        Ok(())
    }

    /// The worker's process, to be waited for apart from the worker.
    #[must_use]
    pub fn process(&self) -> WorkerProcess {
        WorkerProcess(Arc::clone(&self.process.0))
    }

    /// Has `told` called, on the keeper's thread, once the process has ended, with an error where it ended uncleanly
    /// while it had no job.
    pub fn on_end(&self, told: impl FnOnce(Option<BrokenWorkerError>) + Send + 'static) {
        self.process.0.on_end(Box::new(told));
    }

    /// Hands over a job. One at a time: poll for its outcome before the next.
    pub fn post(&mut self, request: Request) {
        self.process.0.set_phase(Phase::Job);
        self.line.post(request);
    }

    /// The job that was posted, to be posted elsewhere; after [`Outcome::NotTaken`].
    #[must_use]
    pub fn take_back(&mut self) -> Option<Request> {
        self.line.take_back()
    }

    /// What became of the job.
    pub fn poll_outcome(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<Outcome> {
        loop {
            let outcome = match std::task::ready!(self.poll_said(cx, host)) {
                Said::Frame(frame) => match frame.kind {
                    Kind::Done | Kind::Failed => {
                        self.process.0.set_phase(Phase::Idle);
                        let answer = Answer::new(frame);
                        if answer.is_last() {
                            // It is about to abort, which is not to be told as a second error.
                            self.process.0.kill();
                            self.is_spent = true;
                        }
                        self.awaits_verdict = self.gives_verdicts;
                        Outcome::Answered(answer)
                    }
                    // From before the job was posted.
                    Kind::Stays => continue,
                    Kind::Leaves => {
                        self.process.0.set_phase(Phase::Shutdown);
                        Outcome::NotTaken
                    }
                    _ => self.broken_by_nonsense(),
                },
                Said::Ended { job_unread: true } => Outcome::NotTaken,
                Said::Ended { job_unread: false } => Outcome::Broken(self.process.0.error()),
                Said::Garbage(_) => self.broken_by_nonsense(),
            };
            return Poll::Ready(outcome);
        }
    }

    /// A worker that does not keep to the protocol is killed; its death is then reported as any other.
    fn broken_by_nonsense(&self) -> Outcome {
        self.process.0.kill();
        Outcome::Broken(self.process.0.error())
    }

    /// Whether the worker takes another job; ready at once where its context has no `retire` function.
    pub fn poll_verdict(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<Verdict> {
        loop {
            if !self.awaits_verdict {
                return Poll::Ready(if self.process.0.has_ended() { Verdict::Leaves } else { Verdict::Stays });
            }
            match std::task::ready!(self.poll_said(cx, host)) {
                Said::Frame(frame) if frame.kind == Kind::Stays => (self.awaits_verdict, self.is_late) = (false, false),
                _ => return Poll::Ready(Verdict::Leaves),
            }
        }
    }

    /// True when it will take no other job.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.is_spent || self.process.0.has_ended()
    }

    /// SIGKILL (or what the system has for it), sent by the time this returns; the keeper reaps.
    pub fn kill(&self) {
        self.process.0.kill();
    }

    /// True when its verdict was waited for before, and did not come in time.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// Notes that its verdict did not come in time.
    pub fn set_late(&mut self) {
        self.is_late = true;
    }

    /// How the process ended, or that it has not, as an error.
    #[must_use]
    pub fn error(&self) -> BrokenWorkerError {
        self.process.0.error()
    }

    /// Tells the worker to leave once it has nothing to do.
    pub fn hang_up(&mut self) {
        self.process.0.set_phase(Phase::Shutdown);
        self.is_spent = true;
        self.line.hang_up();
    }

    /// Ready once the process has ended.
    pub fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.process.0.poll_end(cx)
    }

    /// Asks the worker to leave and waits for its end; past the grace period it is killed, and that is told.
    pub fn dismiss(mut self, grace: impl Future<Output = ()>) -> impl Future<Output = ()> {
        self.hang_up();
        async move {
            let ended = async {
                poll_fn(|cx| self.poll_end(cx)).await;
                true
            };
            let overdue = async {
                grace.await;
                false
            };
            if !future::or(ended, overdue).await {
                self.process.0.kill_overdue();
                poll_fn(|cx| self.poll_end(cx)).await;
            }
        }
    }

    /// The next frame, or the end. Death is seen on the process: a grandchild may hold the connection open, and a
    /// living worker may have closed it.
    fn poll_said(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<Said> {
        if !self.hung_up {
            match self.line.poll_frame(cx, host) {
                Poll::Ready(Ok(frame)) => return Poll::Ready(Said::Frame(frame)),
                Poll::Ready(Err(e)) => match self.take_hang_up(e) {
                    Some(said) => return Poll::Ready(said),
                    None => self.hung_up = true,
                },
                Poll::Pending => {}
            }
        }
        std::task::ready!(self.process.0.poll_end(cx));
        if !self.hung_up {
            // It may have answered and then ended: what it has said before its end is all there now.
            match self.line.try_frame() {
                Ok(Some(frame)) => return Poll::Ready(Said::Frame(frame)),
                Ok(None) => {}
                Err(e) => {
                    if let Some(said) = self.take_hang_up(e) {
                        return Poll::Ready(said);
                    }
                }
            }
        }
        Poll::Ready(Said::Ended { job_unread: false })
    }

    /// What an error of the line means; `None`: the worker has hung up, so its end is to be waited for.
    fn take_hang_up(&self, e: io::Error) -> Option<Said> {
        match e.kind() {
            // The kernel says so when the other end was closed with bytes in it that nobody had read.
            io::ErrorKind::ConnectionReset => Some(Said::Ended { job_unread: true }),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => None,
            _ => Some(Said::Garbage(e)),
        }
    }
}

/// A worker's process: its number, and its end.
#[derive(Clone, Debug)]
pub struct WorkerProcess(Arc<Process>);

impl WorkerProcess {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// True while it runs a job.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.0.is_busy()
    }

    /// SIGKILL (or what the system has for it), sent by the time this returns.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Blocks until the process has ended; past the deadline it is killed. For the end of the program.
    pub fn wait_or_kill(&self, deadline: Instant) {
        const LAST: Duration = Duration::from_secs(1);
        if !self.0.wait_until(deadline) {
            self.0.kill();
            self.0.wait_until(Instant::now() + LAST);
        }
    }
}

/// Room for a frame's own words around a result that just fits.
const SLACK: usize = 4096;

enum Said {
    Frame(Frame),
    Garbage(io::Error),
    Ended { job_unread: bool },
}

/// How often a worker is started that ends by accident before it could begin.
const ATTEMPTS: u32 = 3;

/// A Ctrl+C in the moment before the new process ignores it, or a fork server that died with the request in its hands:
/// neither has to do with what the worker is for.
fn is_accident(error: &BrokenWorkerError) -> bool {
    let interrupted = error.exit_status().and_then(|status| status.signal()) == Some(libc::SIGINT);
    error.phase() == Phase::Start && (interrupted || error.pid() == 0)
}

fn refused(reason: &str) -> Error {
    Error::Spawn(io::Error::other(format!("the worker refused to serve: {reason}")))
}
