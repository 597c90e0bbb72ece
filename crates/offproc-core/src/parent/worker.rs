//! A worker, as the parent holds it: given jobs, asked to leave, killed.

use super::launcher::Guard;
use super::line::Line;
use super::process::Process;
use super::runtime::Host;
use crate::error::death::Task;
use crate::error::{BrokenWorkerError, EncodeError, Error, Phase};
use crate::sys::descriptors::Descriptor;
use crate::sys::fork::is_forked;
use crate::sys::process::Child;
use crate::sys::usage;
use crate::wire::frame::{Frame, Kind};
use crate::wire::message::{Answer, SoftLimits, write_job};
use serde::{Serialize, de::DeserializeOwned};
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// What became of a posted job.
#[derive(Debug)]
pub enum Outcome {
    /// The worker answered.
    Answered(Answer),
    /// The worker had left, or was gone, before it took the job: it did not run, and may run elsewhere. If the worker
    /// ended uncleanly and nobody was told, here is how.
    NotTaken(Option<BrokenWorkerError>),
    /// The worker died, and the job may have begun.
    Broken(BrokenWorkerError),
}

/// What a worker says after a job, where its context may retire it.
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
    frame_limit: usize,
    gives_verdicts: bool,
    awaits_verdict: bool,
    hung_up: bool,
    is_spent: bool,
    is_late: bool,
    // The job under way, and since when, as far as anybody has waited for it.
    task: Option<Task>,
    since: Option<Instant>,
}

impl Worker {
    pub(crate) fn new(
        process: Guard,
        line: Box<dyn Line>,
        lifeline: Descriptor,
        frame_limit: usize,
        gives_verdicts: bool,
    ) -> Self {
        process.0.set_phase(Phase::Idle);
        Self {
            process,
            line,
            _lifeline: lifeline,
            frame_limit,
            gives_verdicts,
            awaits_verdict: false,
            hung_up: false,
            is_spent: false,
            is_late: false,
            task: None,
            since: None,
        }
    }

    /// The worker's process, to be waited for apart from the worker.
    #[must_use]
    pub fn process(&self) -> WorkerProcess {
        WorkerProcess(Arc::clone(&self.process.0))
    }

    /// Tells this worker from any other that this process has, or had; process ids are used again.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.process.0.serial()
    }

    /// Has `told` called, on the keeper's thread, once the process has ended, with an error where it ended uncleanly
    /// while it had no job.
    pub fn on_end(&self, told: impl FnOnce(Option<BrokenWorkerError>) + Send + 'static) {
        self.process.0.on_end(Box::new(told));
    }

    /// Hands over a call of `function`, made at `caller`, which is told of its soft limits. One at a time: poll for
    /// its outcome before the next.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`]: the argument cannot be serialised or is too large, or the function is not part of this
    /// executable. Nothing was handed over.
    pub fn post<A, R>(
        &mut self,
        function: fn(A) -> R,
        argument: &A,
        caller: &'static Location<'static>,
        soft: Option<&SoftLimits>,
    ) -> Result<(), Error>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let refused = |message| Error::Encode(EncodeError(message));
        let mut outgoing = self.line.take_outgoing();
        let write = || match self.line.begin(self.frame_limit) {
            Err(e) => Err(format!("there is no memory for the argument: {e}")),
            Ok(mut writer) => {
                outgoing.while_sending(|| write_job(function, argument, soft, &mut writer)).map(|()| writer.written())
            }
        };
        match catch_unwind(AssertUnwindSafe(write)) {
            Ok(Ok(written)) => {
                // Before the job is out: a worker that dies of it at once has not died idle.
                self.process.0.set_phase(Phase::Job);
                let type_name = std::any::type_name::<fn(A) -> R>();
                self.task = Some(Task { function: function as usize, type_name, caller: Some(caller) });
                self.since = None;
                self.line.post(written, outgoing).map_err(|e| {
                    self.process.0.set_phase(Phase::Idle);
                    refused(format!("the descriptors of the argument could not be sent: {e}"))
                })
            }
            Ok(Err(message)) => {
                self.line.put_back(outgoing);
                Err(refused(message))
            }
            // The caller's affair; what the worker has been lent is not forgotten over it.
            Err(panic) => {
                self.line.put_back(outgoing);
                resume_unwind(panic)
            }
        }
    }

    /// What became of the job.
    pub fn poll_outcome(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<Outcome> {
        loop {
            let Poll::Ready(said) = self.poll_said(cx, host, false) else {
                // Not when it was posted: a warm call is too short for a look at the clock.
                self.since.get_or_insert_with(Instant::now);
                return Poll::Pending;
            };
            let outcome = match said {
                Said::Frame(frame) => match frame.kind {
                    Kind::Done | Kind::Failed => {
                        self.process.0.set_phase(if self.gives_verdicts { Phase::Retire } else { Phase::Idle });
                        let incoming = self.line.take_incoming(frame.kind == Kind::Failed);
                        let answer = Answer::new(frame, incoming);
                        if answer.is_last() {
                            // It is about to abort, which is not to be told as a second error.
                            self.process.0.kill();
                            self.is_spent = true;
                        }
                        self.awaits_verdict = self.gives_verdicts;
                        Outcome::Answered(answer)
                    }
                    // From before the job was posted, and once: a flood of them would keep this thread for ever.
                    Kind::Stays if std::mem::take(&mut self.awaits_verdict) => continue,
                    Kind::Leaves => self.not_taken(),
                    kind => self.broken_by_nonsense(format!("an unexpected {kind:?}")),
                },
                Said::NotTaken => self.not_taken(),
                Said::Ended => Outcome::Broken(self.error()),
                Said::Garbage(e) => self.broken_by_nonsense(e.to_string()),
            };
            return Poll::Ready(outcome);
        }
    }

    fn not_taken(&mut self) -> Outcome {
        self.is_spent = true;
        Outcome::NotTaken(self.process.0.was_idle())
    }

    /// Kills a worker that does not keep to the protocol; the error that tells of it.
    pub fn convict(&self, offence: String) -> BrokenWorkerError {
        self.process.0.kill();
        let mut error = self.error();
        error.first_mut().offence = Some(offence);
        error
    }

    fn broken_by_nonsense(&self, offence: String) -> Outcome {
        Outcome::Broken(self.convict(offence))
    }

    /// Whether the worker takes another job; ready at once where it cannot retire.
    pub fn poll_verdict(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<Verdict> {
        if self.awaits_verdict {
            match ready!(self.poll_said(cx, host, true)) {
                Said::Frame(frame) if frame.kind == Kind::Stays => {
                    self.process.0.set_phase(Phase::Idle);
                    (self.awaits_verdict, self.is_late) = (false, false);
                }
                _ => {
                    self.is_spent = true;
                    return Poll::Ready(Verdict::Leaves);
                }
            }
        }
        Poll::Ready(if self.is_spent() { Verdict::Leaves } else { Verdict::Stays })
    }

    /// Its end was told while it was in the cache: it may have been done with its `retire` function by then.
    pub fn correct_phase(&mut self, error: &mut BrokenWorkerError) {
        if self.awaits_verdict && error.phase() == Phase::Retire {
            match self.line.last_frame(true) {
                Ok(Some(frame)) if frame.kind == Kind::Stays => error.first_mut().phase = Phase::Idle,
                Ok(Some(frame)) if frame.kind == Kind::Leaves => error.first_mut().phase = Phase::Shutdown,
                _ => {}
            }
        }
    }

    /// How the process ended, or that it has not, as an error.
    #[must_use]
    pub fn error(&self) -> BrokenWorkerError {
        let mut error = self.process.0.error();
        let death = error.first_mut();
        if death.phase == Phase::Job {
            let until = death.end.at.unwrap_or_else(Instant::now);
            death.task = self.task;
            // None: it was over before anybody had to wait for it.
            death.ran_for = Some(self.since.map_or(Duration::ZERO, |since| until.saturating_duration_since(since)));
        }
        error
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

    /// True when it will take no other job.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.is_spent || self.process.0.has_ended()
    }

    /// SIGKILL (or what the system has for it), sent by the time this returns; the keeper reaps.
    pub fn kill(&self) {
        self.process.0.kill();
    }

    /// Tells the worker to leave once it has nothing to do.
    pub fn hang_up(&mut self) {
        self.process.0.set_leaving();
        if !self.awaits_verdict {
            self.process.0.set_phase(Phase::Shutdown);
        }
        self.is_spent = true;
        if !is_forked() {
            self.line.hang_up();
        }
    }

    /// Ready once the process has ended.
    pub fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.process.0.poll_end(cx)
    }

    /// Asks the worker to leave and waits for its end; past the grace period it is killed, and that is told.
    pub fn dismiss(mut self, grace: impl Future<Output = ()>) -> impl Future<Output = ()> {
        self.hang_up();
        async move {
            let process = Arc::clone(&self.process.0);
            let leaves = async {
                // Until it has told whether it stays, it is in its `retire` function.
                poll_fn(|cx| self.poll_verdict(cx, &Host::fallback())).await;
                process.set_phase(Phase::Shutdown);
            };
            process.end_within(leaves, grace).await;
        }
    }

    /// The next frame, or the end. Death is seen on the process: a grandchild may hold the connection open, and a
    /// living worker may have closed it.
    fn poll_said(&mut self, cx: &mut Context<'_>, host: &Host, verdict: bool) -> Poll<Said> {
        if is_forked() {
            return Poll::Ready(Said::Ended); // for a copy of the process that started it, which has none of its memory
        }
        if !self.hung_up {
            match self.line.poll_frame(cx, host, verdict) {
                Poll::Ready(Ok(frame)) => return Poll::Ready(Said::Frame(frame)),
                Poll::Ready(Err(e)) => match Said::of_error(e) {
                    Some(said) => return Poll::Ready(said),
                    None => self.hung_up = true,
                },
                Poll::Pending => {}
            }
        }
        ready!(self.process.0.poll_end(cx));
        if !self.hung_up {
            // It may have answered and then ended: what it has said before its end is all there now.
            match self.line.last_frame(verdict) {
                Ok(Some(frame)) => return Poll::Ready(Said::Frame(frame)),
                Ok(None) => {}
                Err(e) => {
                    if let Some(said) = Said::of_error(e) {
                        return Poll::Ready(said);
                    }
                }
            }
        }
        Poll::Ready(Said::Ended)
    }
}

/// What comes from a worker.
pub(super) enum Said {
    Frame(Frame),
    Garbage(io::Error),
    NotTaken,
    Ended,
}

impl Said {
    /// What an error of the line means; `None`: the worker has hung up, so its end is to be waited for.
    pub(super) fn of_error(e: io::Error) -> Option<Self> {
        match e.kind() {
            io::ErrorKind::ConnectionReset => Some(Self::NotTaken),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => None,
            _ => Some(Self::Garbage(e)),
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

    /// True once it was asked to leave.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.0.is_leaving()
    }

    /// The CPU time it has used, all its threads together; `None` once it has ended.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        self.0.child()?.measure(usage::cpu_time)
    }

    /// Its resident memory, in bytes; `None` once it has ended, and where the system does not tell.
    #[must_use]
    pub fn resident_memory(&self) -> Option<u64> {
        self.0.child()?.measure(usage::resident_memory)
    }

    /// True once it has ended, reaped or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.child().is_some_and(Child::has_ended)
    }

    /// Its end, when that came after its job was done, was unclean, and nobody was told.
    #[must_use]
    pub fn untold_end(&self) -> Option<BrokenWorkerError> {
        self.0.untold_end()
    }

    /// SIGKILL (or what the system has for it), sent by the time this returns.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Notes that it was asked to leave.
    pub(super) fn set_leaving(&self) {
        self.0.set_leaving();
        self.0.set_phase(Phase::Shutdown);
    }

    /// Waits for its end; past the grace period it is killed. An unclean end, which that is, is told.
    pub(super) async fn wait_or_kill_overdue(&self, grace: impl Future<Output = ()>) -> Option<BrokenWorkerError> {
        self.0.end_within(std::future::ready(()), grace).await;
        self.0.untold_end()
    }

    /// Blocks until the process has ended; past the deadline it is killed. For the end of the program.
    pub fn wait_or_kill(&self, deadline: Instant) {
        const LAST: Duration = Duration::from_secs(1);
        if !self.0.wait_until(deadline) {
            self.0.kill();
            self.0.wait_until(Instant::now() + LAST);
        }
        self.0.print_last_words();
    }
}
