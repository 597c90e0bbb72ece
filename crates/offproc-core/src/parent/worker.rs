//! A worker, in the parent: it gets jobs, is asked to leave, or is killed.

mod outcome;
mod posting;
mod report;
mod state;

use super::channel::event::{Awaited, ChannelEvent, RetireDecision, poll_until_exit};
use super::channel::parent_channel::ParentChannel;
use super::launch::launcher::KillGuard;
use super::link::Link;
use super::logs::delivery::Delivery;
use super::process::exit::WorkerExit;
use super::process::handle::WorkerProcess;
use super::runtime::RuntimeSelector;
use super::standing::Standing;
use crate::error::function::Task;
use crate::error::{BrokenWorkerError, Phase};
use crate::job::message::{AfterPanic, Answer};
use crate::settings::Settings;
use crate::settings::log_forwarding::LogSink;
use crate::sys::fork::is_forked;
use crate::sys::lifeline::ParentEnd;
use crate::sys::rights::Rights;
use crate::wire::link::{HardLimits, Overuse};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

pub use outcome::Outcome;

/// A worker process and the connection to it. Dropping it kills the process, unless that has been seen to end.
#[derive(Debug)]
pub struct Worker {
    // In this order: the process is killed before its lifeline is closed.
    process: KillGuard,
    channel: Box<dyn ParentChannel>,
    // Held so that its closing ends the worker: see `sys::lifeline`.
    _lifeline: ParentEnd,
    rights: Option<Arc<Rights>>,
    max_message_size: usize,
    may_retire: bool,
    standing: Standing,
    has_lost_state: bool,
    has_hung_up: bool,
    // The current job, and its start: when it was sent, if that took a system call, otherwise when its caller first had
    // to wait.
    task: Option<Task>,
    since: Option<Instant>,
    logs: Option<Box<Delivery<Outcome>>>,
    // Of a worker behind a command.
    link: Option<Arc<Link>>,
}

impl Worker {
    pub(crate) fn new(
        process: KillGuard,
        channel: Box<dyn ParentChannel>,
        lifeline: ParentEnd,
        rights: Option<Arc<Rights>>,
        settings: &Settings,
    ) -> Self {
        process.0.set_phase(Phase::Idle);
        Self {
            process,
            channel,
            _lifeline: lifeline,
            rights,
            max_message_size: settings.transport.max_message_size,
            may_retire: settings.retirement.is_possible(),
            standing: Standing::Available,
            has_lost_state: false,
            has_hung_up: false,
            task: None,
            since: None,
            logs: None,
            link: None,
        }
    }

    /// It is behind a command.
    pub(super) fn set_link(&mut self, link: Option<Arc<Link>>) {
        self.link = link;
    }

    /// Limits the job that is posted next, in the worker itself. False where that is not for the worker to do, which is
    /// on this machine.
    #[must_use]
    pub fn limit_next(&self, limits: &HardLimits) -> bool {
        self.link.iter().for_each(|link| link.limit_next(limits));
        self.link.is_some()
    }

    /// The limit for which it has killed itself.
    #[must_use]
    pub fn overuse(&self) -> Option<Overuse> {
        self.link.as_ref()?.overuse()
    }

    /// It logs to this process.
    pub(super) fn set_logs(&mut self, logs: Option<Delivery<Outcome>>) {
        self.logs = logs.map(Box::new);
    }

    /// The sink of the next job's log records, if its context forwards them; without one they go to the context's sink.
    pub fn set_log_sink(&mut self, sink: Option<Arc<dyn LogSink>>) {
        if let Some(logs) = &mut self.logs {
            logs.set_sink(sink);
        }
    }

    /// Delivers what the worker has logged so far, as far as that is possible at once.
    pub fn deliver_logs(&self) {
        self.logs.iter().for_each(|logs| logs.deliver_now());
    }

    /// The worker's process, to be waited for apart from the worker.
    #[must_use]
    pub fn process(&self) -> WorkerProcess {
        WorkerProcess::of(Arc::clone(&self.process.0))
    }

    /// A number that no other worker of this process has, or had; process ids are reused.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.process.0.serial()
    }

    /// True if the program's rights differ from those that the worker was started with: it must run no further job.
    /// Compared when the worker is new or has been idle for a while, and once in many jobs otherwise.
    #[must_use]
    pub fn is_of_other_rights(&self) -> bool {
        self.channel.is_time_to_compare() && !self.has_our_rights()
    }

    pub(super) fn rights(&self) -> Option<Arc<Rights>> {
        self.rights.clone()
    }

    /// True if it was started with exactly the calling thread's rights.
    pub(super) fn has_our_rights(&self) -> bool {
        self.rights.as_ref().is_some_and(|rights| rights.are_ours())
    }

    /// Installs the hooks: `ended` is called once the process has ended, with an error if it ended uncleanly while it
    /// had no job; `exited` before that, or, if it ended during a job, when the worker is polled or dropped.
    pub fn on_end(
        &self,
        ended: impl FnOnce(Option<BrokenWorkerError>) + Send + 'static,
        exited: impl FnOnce(WorkerExit) + Send + 'static,
    ) {
        self.process.0.on_end(Box::new(ended), Box::new(exited));
    }

    /// The outcome of the job. Its log records have been delivered before.
    pub fn poll_outcome(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<Outcome> {
        if self.logs.is_none() { self.poll_job(cx, runtime) } else { self.poll_job_and_log(cx, runtime) }
    }

    // Apart, so that a call whose job's log is not forwarded pays one comparison.
    #[cold]
    fn poll_job_and_log(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<Outcome> {
        let held = self.logs.as_mut().and_then(|logs| logs.take_held());
        let outcome = match held {
            Some(outcome) => outcome,
            None => ready!(self.poll_job(cx, runtime)),
        };
        match &mut self.logs {
            Some(logs) => logs.poll_with(cx, outcome),
            None => Poll::Ready(outcome),
        }
    }

    /// True if the job is over, and only the delivery of its log records is awaited.
    #[must_use]
    pub fn has_outcome(&self) -> bool {
        self.logs.as_ref().is_some_and(|logs| logs.is_holding())
    }

    /// Ends the wait for log records. True if the job is over: its outcome is there at the next poll.
    pub fn hurry(&mut self) -> bool {
        self.logs.as_mut().is_some_and(|logs| logs.hurry())
    }

    #[inline]
    fn poll_job(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<Outcome> {
        loop {
            let Poll::Ready(event) = self.poll_event(Awaited::Answer, cx, runtime) else {
                // Not when it was posted: a warm call is too short to read the clock.
                self.since.get_or_insert_with(Instant::now);
                return Poll::Pending;
            };
            return Poll::Ready(match event {
                ChannelEvent::Answer(answer) => self.answered(answer),
                // Sent before the job was posted, so only once: a flood of them would keep this thread for ever.
                ChannelEvent::Decision(RetireDecision::Stays) if self.standing.stays() => continue,
                ChannelEvent::Decision(decision) => self.violated(format!("an unexpected {decision:?}")),
                ChannelEvent::NotTaken => {
                    self.standing = Standing::Left;
                    self.channel.ends_stay();
                    Outcome::NotTaken(self.process.0.was_idle())
                }
                ChannelEvent::NotSent(e) => {
                    self.standing.leaves();
                    self.process.0.set_phase(Phase::Idle);
                    Outcome::NotSent(posting::not_sent(&e))
                }
                ChannelEvent::HungUp => self.broken(self.error()),
                ChannelEvent::Violation(violation) => self.violated(violation),
            });
        }
    }

    fn answered(&mut self, answer: Answer) -> Outcome {
        let ends_worker = match answer.after_panic() {
            AfterPanic::Nothing => false,
            AfterPanic::LosesState => {
                self.has_lost_state = true;
                false
            }
            AfterPanic::EndsWorker => {
                self.process.0.end_for_panic();
                true
            }
        };
        self.process.0.set_phase(if self.may_retire { Phase::Retire } else { Phase::Idle });
        self.standing.answered(self.may_retire, ends_worker);
        Outcome::Answered(answer)
    }

    /// Whether the worker takes another job; ready at once if it cannot retire.
    pub fn poll_retire_decision(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<RetireDecision> {
        if self.standing.decides() {
            match ready!(self.poll_event(Awaited::Decision, cx, runtime)) {
                ChannelEvent::Decision(RetireDecision::Stays) => {
                    self.process.0.set_phase(Phase::Idle);
                    self.standing.stays();
                }
                _ => {
                    self.standing.leaves();
                    return Poll::Ready(RetireDecision::Leaves);
                }
            }
        }
        Poll::Ready(if self.is_retired() { RetireDecision::Leaves } else { RetireDecision::Stays })
    }

    /// True if a call has waited for its decision, which did not come in time.
    #[must_use]
    pub fn is_decision_overdue(&self) -> bool {
        self.standing == Standing::Deciding { is_overdue: true }
    }

    /// Records that its decision did not come in time.
    pub fn set_decision_overdue(&mut self) {
        self.standing.overdue();
    }

    /// True when it will take no other job.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.standing.is_final() || self.process.0.has_ended()
    }

    /// True once it has ended and been reaped.
    pub(super) fn is_gone(&self) -> bool {
        self.process.0.has_ended()
    }

    /// Sends SIGKILL (or the system's equivalent) before it returns; the background thread reaps.
    pub fn kill(&self) {
        self.process.0.kill();
    }

    /// Requests that the worker leave once it has no job.
    pub fn request_shutdown(&mut self) {
        if !is_forked() {
            // If it has ended, then before it was asked.
            self.report_exit();
        }
        let is_asked = self.process.0.set_leaving();
        // Not if it had left before.
        if !self.standing.decides() && self.standing != Standing::Left {
            self.process.0.set_phase(Phase::Shutdown);
        }
        self.standing.leaves();
        if !is_forked() {
            // Where a thread of its own ends one that was killed, it could leave before that.
            if is_asked {
                self.channel.request_shutdown();
            }
            self.report_exit();
        }
    }

    /// The items of the chunk that have not begun are not wanted. The worker may take other jobs after it.
    pub fn withdraw_items(&mut self) {
        if !is_forked() {
            self.channel.withdraw_items();
        }
    }

    /// Asks the job to stop: [`should_stop`](crate::should_stop) becomes true in it, if it was posted with soft limits.
    /// The worker takes no other job.
    pub fn request_stop(&mut self) {
        if !is_forked() {
            self.channel.request_stop();
        }
    }

    /// Ready once the process has ended.
    pub fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.process.0.poll_end(cx)
    }

    /// Asks the worker to leave and waits for its end; kills it past the grace period, and reports that.
    pub fn shut_down(mut self, grace: impl Future<Output = ()>) -> impl Future<Output = ()> {
        self.request_shutdown();
        async move {
            let process = Arc::clone(&self.process.0);
            let leaves = async {
                // Until it has sent its decision, it is in its `retire` function.
                poll_fn(|cx| self.poll_retire_decision(cx, &RuntimeSelector::fallback())).await;
                if self.standing != Standing::Left {
                    process.set_phase(Phase::Shutdown);
                }
            };
            process.end_within(leaves, grace).await;
        }
    }

    /// The next event; [`HungUp`](ChannelEvent::HungUp) once the process has ended without one.
    #[inline(always)]
    fn poll_event(&mut self, awaited: Awaited, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<ChannelEvent> {
        if is_forked() {
            // In a fork of the program, which does not have the shared memory.
            return Poll::Ready(ChannelEvent::HungUp);
        }
        let process = &self.process.0;
        poll_until_exit(
            &mut *self.channel,
            &mut self.has_hung_up,
            cx,
            |channel, cx| channel.poll_event(awaited, cx, runtime),
            |cx| process.poll_end(cx),
            |channel| channel.after_exit(awaited),
        )
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !is_forked() {
            // As the guard is about to: a thread that sees the end from now on reports it.
            self.process.0.kill();
            self.report_exit();
        }
    }
}
