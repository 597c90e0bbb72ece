//! The future of a call: it waits for a token, then for a worker, then for the answer.

use super::coop_budget;
use super::queue::InQueue;
use super::request::{Options, Request, State};
use super::run_sync::RunSync;
use super::target::Target;
use crate::context::{Checkout, HasLedger, Lease, WorkerContext, default_context, in_a_fork, innermost, may_call};
use crate::limiter::Permit;
use crate::limiter::default::default_limiter;
use crate::limiter::stuck;
use crate::observe::CallRecord;
use futures_core::FusedFuture;
use offproc_core::{BrokenWorkerError, CallOutcome, Error, Function, Outcome, Station, Transfer, is_forked};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// After how many workers that left without taking the job the call fails: a job can make its worker send that, again
/// and again. From half of that on, the call gets new workers, which have no other reason to leave.
const MOST_REFUSALS: u32 = 6;

impl<A, R> Drop for RunSync<A, R> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_counted {
            self.cancel();
        }
    }
}

impl<A, R> RunSync<A, R> {
    /// True from the first poll on.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(&self.state, State::New(request) if !request.options.is_polled)
    }

    /// Dropped before its end, or after a panic in one of its polls.
    #[cold]
    fn cancel(&mut self) {
        // Its drop, after all else, may run a subscriber.
        let _record = std::mem::replace(&mut *self.record, CallRecord::none());
        let has_begun = self.has_begun();
        match std::mem::replace(&mut self.state, State::Over) {
            state if is_forked() && state.may_be_locked() => return std::mem::forget(state),
            State::Running(_, lease) => lease.cancel(self.deadline.take()),
            state => drop(state),
        }
        if has_begun {
            self.count(CallOutcome::Cancelled);
        }
    }

    /// Sets the state of a call that is `Over` meanwhile, which has nothing to drop: to look costs as much as the rest.
    #[inline]
    fn go_on(&mut self, state: State<A, R>) {
        std::mem::forget(std::mem::replace(&mut self.state, state));
    }

    /// Counts a call that ends without a result.
    #[cold]
    fn count(&mut self, outcome: CallOutcome) {
        let is_counted = std::mem::replace(&mut self.is_counted, true);
        // In a fork of the program, a thread that the fork does not have may hold the locks of the context.
        if !is_forked() {
            context_of(self.context.as_ref()).inner().observer().call_failed(outcome, is_counted);
        }
    }
}

/// The call's own context, or else the current default context: that may be replaced while the call waits for a token.
fn context_of(own: Option<&WorkerContext>) -> WorkerContext {
    own.cloned().unwrap_or_else(default_context)
}

// No field is ever pinned itself: the futures in it are in boxes.
impl<A, R> Unpin for RunSync<A, R> {}

impl<A, R> Future for RunSync<A, R>
where
    A: Transfer,
    R: Transfer,
{
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let is_recorded = self.record.is_begun() || (CallRecord::is_wanted() && !self.has_begun());
        if is_recorded { self.poll_recorded(cx) } else { self.poll_counted(cx) }
    }
}

impl<A, R> RunSync<A, R>
where
    A: Transfer,
    R: Transfer,
{
    #[inline]
    fn poll_counted(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Error>> {
        let polled = if self.deadline.is_none() { self.advance(cx) } else { self.advance_in_time(cx) };
        if let Poll::Ready(Err(error)) = &polled {
            self.count(error.outcome());
        }
        polled
    }

    #[inline(never)]
    fn poll_recorded(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Error>> {
        if !self.has_begun() {
            self.begin_record();
        }
        let record = self.record.enter();
        let polled = self.poll_counted(cx);
        match &polled {
            Poll::Pending => *self.record = record.leave(),
            Poll::Ready(Ok(_)) => record.end(CallOutcome::Ok),
            Poll::Ready(Err(error)) => record.end(error.outcome()),
        }
        polled
    }

    #[cold]
    fn begin_record(&mut self) {
        self.context = self.context.take().or_else(innermost);
        if let State::New(call) = &mut self.state {
            let context = context_of(self.context.as_ref());
            let (function, type_name) = call.target.name();
            self.record.begin(context.inner().observer(), function, type_name, &mut call.options.clocks);
        }
    }

    // By hand, not as an async function, so that a warm call allocates nothing, and its type has a name.
    #[inline]
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Error>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::New(mut call) => {
                    call.options.is_polled = true;
                    if self.context.is_none() {
                        self.context = innermost();
                    }
                    if coop_budget::is_spent() {
                        self.go_on(State::New(call));
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    self.go_on(call.begin(context_of(self.context.as_ref()))?);
                }
                // In a fork of the program, what it waits for never happens.
                state if is_forked() && state.may_be_locked() => {
                    std::mem::forget(state);
                    return Poll::Ready(Err(in_a_fork()));
                }
                State::Queued(call, mut queue) => {
                    match queue.poll(cx, || Arc::clone(context_of(self.context.as_ref()).inner())) {
                        Poll::Pending => {
                            self.go_on(State::Queued(call, queue));
                            coop_budget::renew();
                            return Poll::Pending;
                        }
                        Poll::Ready(permit) => {
                            drop(queue);
                            self.go_on(call.check_out(permit?, context_of(self.context.as_ref()))?);
                        }
                    }
                }
                State::CheckingOut(call, mut lease) => match lease.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.go_on(State::CheckingOut(call, lease));
                        coop_budget::renew();
                        return Poll::Pending;
                    }
                    Poll::Ready(lease) => self.go_on(call.post(lease?)?),
                },
                State::Running(call, mut lease) => match lease.poll_outcome(cx) {
                    Poll::Ready(Outcome::Answered(answer)) => {
                        lease.finish();
                        self.is_counted = true;
                        // Drop the argument before the result is decoded, which can then reuse its memory: fresh memory
                        // costs more than the copy.
                        drop(call);
                        return Poll::Ready(answer.open());
                    }
                    // A call that is out of time begins no other run.
                    Poll::Ready(Outcome::Broken(error)) if self.is_out_of_time() => {
                        return Poll::Ready(Err(lease.broken(error)));
                    }
                    Poll::Ready(Outcome::Broken(error)) => {
                        let next = call.run_again(lease, error, || context_of(self.context.as_ref()))?;
                        self.go_on(next);
                    }
                    Poll::Ready(Outcome::NotSent(error)) => {
                        drop(lease.let_go());
                        return Poll::Ready(Err(error));
                    }
                    // The worker left, or had ended, before it had the job. That is no error: the job runs elsewhere.
                    Poll::Ready(Outcome::NotTaken(unclean)) => {
                        lease.context().ledger().note(unclean);
                        if self.is_out_of_time() {
                            drop(lease.let_go());
                            return Poll::Ready(Err(Error::DeadlineExceeded(Station::Queued)));
                        }
                        self.go_on(call.requeue(lease, context_of(self.context.as_ref()))?);
                    }
                    Poll::Pending => {
                        if let Poll::Ready(error) = lease.poll_overrun(cx) {
                            // Its deadline may have passed, too, since the last poll.
                            let overdue = self.deadline.as_ref().and_then(|deadline| deadline.overdue());
                            let is_earlier = error.is_timeout() && overdue > lease.time_overdue();
                            lease.kill();
                            let late = Error::DeadlineExceeded(Station::Running);
                            return Poll::Ready(Err(if is_earlier { late } else { error }));
                        }
                        self.go_on(State::Running(call, lease));
                        coop_budget::renew();
                        return Poll::Pending;
                    }
                },
                State::Over => panic!("a call was polled after it had resolved"),
            }
        }
    }
}

impl<A, R> FusedFuture for RunSync<A, R>
where
    A: Transfer,
    R: Transfer,
{
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

impl<A, R> Request<A, R>
where
    A: Transfer,
    R: Transfer,
{
    #[inline]
    fn begin(self, context: WorkerContext) -> Result<State<A, R>, Error> {
        may_call()?;
        let limiter = self.options.limiter.as_ref().or(context.inner().limiter.as_ref());
        let limiter = limiter.cloned().unwrap_or_else(default_limiter);
        match limiter.try_acquire() {
            Some(permit) => self.check_out(permit, context),
            None => {
                context.inner().check_state(self.target.state())?;
                stuck::watch(&limiter, context.inner().observer());
                let queue = InQueue::new(limiter.acquire(), context.inner())?;
                Ok(State::Queued(self, Box::new(queue)))
            }
        }
    }

    #[inline]
    fn check_out(mut self, permit: Permit, context: WorkerContext) -> Result<State<A, R>, Error> {
        if let Some(state) = self.target.state() {
            context.inner().check_state(Some(state))?;
            context.inner().ledger().bring_up(|worker| !worker.has_lost_state());
        }
        match context.inner().check_out(permit).map_err(|error| self.options.or_crash(error))? {
            Checkout::Ready(lease) => self.post(lease),
            checkout => Ok(self.complete(checkout, context)),
        }
    }

    /// Keeps the context open until there is a worker: a default context that was replaced has no other handle.
    fn complete(self, checkout: Checkout, context: WorkerContext) -> State<A, R> {
        let clocks = self.options.clocks.clone();
        let lease = async move {
            let inner = context.inner();
            inner.unless_killed(inner.complete(checkout, clocks.as_ref())).await
        };
        State::CheckingOut(self, Box::pin(lease))
    }

    fn requeue(mut self, mut lease: Lease, context: WorkerContext) -> Result<State<A, R>, Error> {
        self.options.refusals += 1;
        if self.options.refusals > MOST_REFUSALS {
            let error =
                lease.worker().kill_for_violation("worker after worker said that it had not taken the job".to_owned());
            return Err(lease.broken(error));
        }
        let permit = lease.let_go();
        if let Some(clocks) = &self.options.clocks {
            clocks.has_not_run();
        }
        if self.options.refusals > MOST_REFUSALS / 2 {
            let checkout = context.inner().check_out_new(permit)?;
            return Ok(self.complete(checkout, context));
        }
        self.check_out(permit, context)
    }

    /// The worker has died: runs the job on another one, if the call has retries left.
    #[cold]
    fn run_again(
        mut self,
        lease: Lease,
        error: BrokenWorkerError,
        context: impl FnOnce() -> WorkerContext,
    ) -> Result<State<A, R>, Error> {
        if is_forked() || lease.overuse().is_some() || !self.options.use_retry(&error) {
            return Err(lease.broken(error));
        }
        let permit = lease.into_permit();
        if let Some(clocks) = &self.options.clocks {
            clocks.enter(Station::Queued);
        }
        self.check_out(permit, context())
    }

    #[inline]
    fn post(mut self, mut lease: Lease) -> Result<State<A, R>, Error> {
        match &self.target {
            Target::Plain(function, caller) => {
                hand_over(&mut lease, function, caller, &self.argument, &mut self.options)?;
            }
            Target::WithState(_) if lease.worker().has_lost_state() => return Ok(self.make_state(lease)),
            Target::WithState(target) => {
                hand_over(&mut lease, &target.0, target.1, &self.argument, &mut self.options)?;
            }
        }
        Ok(State::Running(self, lease))
    }

    /// The worker makes its state anew, before it gets the job.
    #[cold]
    fn make_state(self, lease: Lease) -> State<A, R> {
        let (context, clocks) = (Arc::clone(lease.context()), self.options.clocks.clone());
        let lease = async move { context.unless_killed(context.with_state(lease, clocks.as_ref())).await };
        State::CheckingOut(self, Box::pin(lease))
    }
}

#[inline]
fn hand_over<A: Transfer, R>(
    lease: &mut Lease,
    function: &impl Function<A, R>,
    caller: &'static Location<'static>,
    argument: &A,
    options: &mut Options,
) -> Result<(), Error> {
    if let Some(clocks) = &options.clocks {
        clocks.run(lease.worker().process().pid());
    }
    let Options { limits, kill_on_cancel, retries, .. } = options;
    let encoded = retries.as_mut().map(|retries| &mut retries.argument);
    lease
        .post(function, argument, caller, limits.as_deref(), *kill_on_cancel, encoded)
        .map_err(|error| options.or_crash(error))
}
