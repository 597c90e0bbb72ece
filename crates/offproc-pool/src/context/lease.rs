//! A worker lent to one call, with the call's token: whatever happens, both come back.

use crate::context::abandoned::Abandoned;
use crate::context::inner::{ContextInner, RunningGuard};
use crate::limiter::Permit;
use crate::limits::{Deadline, LimitMonitor, Limits, Overrun};
use crate::observe::RunTimer;
use offproc_core::{
    BrokenWorkerError, ChunkBounds, ChunkCode, EncodedArgument, Error, Function, HardLimits, Outcome, Overuse,
    SoftLimits, StateMaker, Worker, is_forked,
};
use serde::{Serialize, de::DeserializeOwned};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A lent worker. If it is dropped while a job runs, it kills the worker or abandons the job, as `kill_on_cancel` says.
#[derive(Debug)]
pub(crate) struct Lease {
    // `None` only between taking it out and forgetting the lease.
    inner: Option<LeaseInner>,
    in_flight: bool,
    kill_on_drop: bool,
    // Boxed, so that a lease stays small.
    in_force: Option<Box<InForce>>,
}

/// The limits of the job that runs.
#[derive(Debug, Default)]
struct InForce {
    overrun: Option<Box<Overrun>>,
    cancel_grace: Option<Duration>,
}

#[derive(Debug)]
struct LeaseInner {
    running: RunningGuard,
    // Boxed, as it goes from hand to hand in each call.
    worker: Box<Worker>,
    permit: Permit,
    timer: RunTimer,
}

impl Lease {
    pub(crate) fn new(running: RunningGuard, worker: Box<Worker>, permit: Permit) -> Self {
        Self {
            inner: Some(LeaseInner { running, worker, permit, timer: RunTimer::idle() }),
            in_flight: false,
            kill_on_drop: false,
            in_force: None,
        }
    }

    pub(crate) fn worker(&mut self) -> &mut Worker {
        &mut self.inner.as_mut().expect("leased").worker
    }

    pub(crate) fn context(&self) -> &Arc<ContextInner> {
        &self.inner.as_ref().expect("leased").running
    }

    /// Hands over a job.
    #[inline]
    pub(crate) fn post<A, R>(
        &mut self,
        function: &impl Function<A, R>,
        argument: &A,
        caller: &'static Location<'static>,
        limits: Option<&Limits>,
        kill_on_drop: Option<bool>,
        encoded: Option<&mut EncodedArgument>,
    ) -> Result<(), Error>
    where
        A: Serialize,
    {
        let code = (function.address(), function.type_name());
        self.post_with(code, limits, kill_on_drop, |worker, soft| {
            worker.post(function, argument, caller, soft, encoded)
        })
    }

    /// Hands over a chunk, with the settings of the context: see [`Worker::post_chunk`].
    pub(crate) fn post_chunk<'a, A>(
        &mut self,
        chunk: &ChunkCode<A>,
        code: (usize, &'static str),
        items: impl Iterator<Item = &'a A> + Clone,
        bounds: (ChunkBounds, usize),
        caller: &'static Location<'static>,
    ) -> Result<usize, Error>
    where
        A: Serialize + DeserializeOwned + 'a,
    {
        self.post_with(code, None, None, |worker, soft| worker.post_chunk(chunk, code, items, bounds, caller, soft))
    }

    #[inline(always)]
    fn post_with<T>(
        &mut self,
        (function, type_name): (usize, &'static str),
        limits: Option<&Limits>,
        kill_on_drop: Option<bool>,
        post: impl FnOnce(&mut Worker, Option<&SoftLimits>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let inner = self.inner.as_mut().expect("leased");
        let posted = match (limits, &inner.running.settings.pool.limits.limits) {
            (None, None) => {
                #[cfg(feature = "tracing")]
                inner.set_log_sink();
                post(&mut inner.worker, None)?
            }
            (limits, defaults) => {
                let limits = limits.copied().unwrap_or_default().or(defaults.unwrap_or_default());
                let monitor = match limits.hard() {
                    // One behind a command measures itself.
                    Some(hard) if inner.worker.limit_next(&hard) => None,
                    _ => LimitMonitor::of(&limits, inner.worker.process())?,
                };
                #[cfg(feature = "tracing")]
                inner.set_log_sink();
                let posted = post(&mut inner.worker, limits.soft().as_ref()).inspect_err(|_| {
                    // They are not the next job's.
                    let _ = inner.worker.limit_next(&HardLimits::default());
                })?;
                let overrun = monitor.map(|monitor| Box::new(monitor.begin()));
                self.in_force = Some(Box::new(InForce { overrun, cancel_grace: limits.cancel_grace() }));
                posted
            }
        };
        inner.timer = inner.running.observer().job_began(function, type_name);
        (self.in_flight, self.kill_on_drop) =
            (true, kill_on_drop.unwrap_or(inner.running.settings.pool.calls.kill_on_cancel));
        Ok(posted)
    }

    /// Has the worker make its state. Dropped meanwhile, the lease kills it.
    pub(super) fn post_state(&mut self, state: &StateMaker) -> Result<(), Error> {
        self.worker().post_state(state)?;
        (self.in_flight, self.kill_on_drop) = (true, true);
        Ok(())
    }

    /// The outcome of that.
    pub(super) fn poll_state(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let inner = self.inner.as_mut().expect("leased");
        let outcome = ready!(inner.worker.poll_state(cx, &inner.running.runtime));
        self.in_flight = false;
        Poll::Ready(outcome)
    }

    /// Ready when the job has passed a hard limit.
    pub(crate) fn poll_overrun(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.worker().has_outcome() {
            return Poll::Pending; // it has ended in time
        }
        let overrun = self.in_force.as_mut().and_then(|limits| limits.overrun.as_mut());
        overrun.map_or(Poll::Pending, |overrun| overrun.poll(cx))
    }

    /// How long ago the job passed its time limit.
    pub(crate) fn time_overdue(&self) -> Option<Duration> {
        self.in_force.as_ref()?.overrun.as_ref()?.time_overdue()
    }

    /// The outcome of the job.
    pub(crate) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let inner = self.inner.as_mut().expect("leased");
        let outcome = ready!(inner.worker.poll_outcome(cx, &inner.running.runtime));
        self.in_flight = false;
        Poll::Ready(outcome)
    }

    /// The worker has ended; returns the token.
    pub(crate) fn discard(mut self) {
        let inner = self.inner.take();
        if is_forked() {
            std::mem::forget(inner);
        }
    }

    pub(crate) fn was_killed_with_context(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.worker.process().was_killed_with_context())
    }

    /// The error of a call whose worker has died: by itself, or killed with its context.
    pub(crate) fn broken(self, error: BrokenWorkerError) -> Error {
        let (with_context, overuse) = (self.was_killed_with_context(), self.overuse());
        self.discard();
        if with_context { Error::Closed } else { overuse.unwrap_or_else(|| error.into()) }
    }

    /// The limit for which the worker has killed itself.
    pub(crate) fn overuse(&self) -> Option<Error> {
        self.inner.as_ref()?.worker.overuse().map(|overuse| match overuse {
            Overuse::Time => Error::TimedOut,
            Overuse::Cpu { limit, used } => Error::CpuTimeExceeded { limit, used },
            Overuse::Memory { limit, used } => Error::MemoryExceeded { limit, used },
        })
    }

    /// The worker has ended, and another one runs the job; the call keeps the token.
    pub(crate) fn into_permit(mut self) -> Permit {
        self.inner.take().expect("leased").permit
    }

    /// The worker is leaving, and gets the grace period for that; the call keeps the token.
    pub(crate) fn let_go(mut self) -> Permit {
        let mut inner = self.inner.take().expect("leased");
        inner.timer.has_not_run();
        inner.running.dismiss(*inner.worker);
        inner.permit
    }

    /// The worker goes to the back of the cache; the call keeps the token.
    pub(crate) fn return_to_back(mut self) -> Permit {
        let inner = self.inner.take().expect("leased");
        ContextInner::check_in_at_back(inner.running, inner.worker);
        inner.permit
    }

    /// Kills the worker. What it has logged so far comes before the call's error.
    pub(crate) fn kill(mut self) {
        if !is_forked() {
            self.worker().kill();
            self.worker().deliver_logs();
        }
        self.discard();
    }

    /// The job has an answer, and the call is over. Every call with a result ends here.
    #[inline]
    pub(crate) fn finish(mut self) {
        if let Some(inner) = self.inner.take() {
            inner.running.observer().call_answered();
            inner.give_back();
        }
        drop(self.in_force.take());
        // Its drop has nothing left to do.
        std::mem::forget(self);
    }

    /// The call is dropped. Its job goes on, or not, as for a drop of the lease; `deadline` holds for it, too.
    pub(crate) fn cancel(mut self, deadline: Option<Box<Deadline>>) {
        self.end(deadline);
    }

    fn end(&mut self, deadline: Option<Box<Deadline>>) {
        if is_forked() {
            // A fork does not own the worker, and a thread that is not in it may have locked its context and its
            // limiter.
            return std::mem::forget(self.inner.take());
        }
        let Some(inner) = self.inner.take() else { return };
        if !self.in_flight {
            return inner.give_back();
        }
        let InForce { overrun, cancel_grace } = self.in_force.take().map(|limits| *limits).unwrap_or_default();
        if self.kill_on_drop && cancel_grace.is_none() {
            // `inner` is dropped in the order of its fields, as after every other end.
            inner.worker.kill();
        } else {
            let LeaseInner { running, worker, permit, timer } = inner;
            let grace = cancel_grace.filter(|_| self.kill_on_drop);
            Abandoned::begin(running, worker, permit, timer, (overrun, deadline), grace);
        }
    }
}

impl LeaseInner {
    /// Right before the job is posted: an error in between would leave the sink to the next one.
    #[cfg(feature = "tracing")]
    #[inline(always)]
    fn set_log_sink(&mut self) {
        if self.running.settings.worker.log_forwarding.is_some() {
            self.forward_logs();
        }
    }

    #[cfg(feature = "tracing")]
    #[cold]
    fn forward_logs(&mut self) {
        let sink = offproc_tracing::CallSink::current();
        self.worker.set_log_sink(sink.map(|sink| Arc::new(sink) as Arc<_>));
    }

    /// Returns the worker, and then the token, so that the call which waits for the token finds the worker.
    #[inline]
    fn give_back(self) {
        ContextInner::check_in(self.running, self.worker);
        drop((self.permit, self.timer));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end(None);
    }
}
