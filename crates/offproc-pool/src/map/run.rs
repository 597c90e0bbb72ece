//! A chunk of a map, from when it has a token until its results are there.

use super::results::{Outcomes, Results, Untouched};
use super::task::Task;
use crate::context::{Checkout, HasLedger, Lease, WorkerContext};
use crate::limiter::Permit;
use crate::observe::CallRecord;
use crate::timing::Clocks;
use offproc_core::{
    Answer, BoxFuture, BrokenWorkerError, CallOutcome, ChunkBounds, ChunkOutcome, EncodeError, Error, Outcome,
    Transfer, is_forked,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// After how many workers that left without taking the chunk its first item fails; see `RunSync`.
const MOST_REFUSALS: u32 = 6;

/// A chunk that has a token. Dropping it cancels it, as it does a call.
pub(super) struct Run<A, R> {
    task: Arc<Task<A, R>>,
    /// Those that are posted, or will be.
    items: VecDeque<A>,
    /// What did not fit into the job with them.
    left: VecDeque<A>,
    /// The errors of items before them, which could not be sent.
    results: Results,
    bounds: (ChunkBounds, usize),
    context: WorkerContext,
    state: State,
    refusals: u32,
    posted: Option<Instant>,
    /// It was posted as one: a single item may be a plain job.
    is_chunk: bool,
    is_newly_posted: bool,
    /// It has passed this limit, and its worker is killed.
    overrun: Option<Error>,
    clocks: Option<Clocks>,
    record: CallRecord,
    is_counted: bool,
}

enum State {
    /// Waiting for a worker.
    CheckingOut(BoxFuture<Result<Lease, Error>>),
    CheckedOut(Result<Lease, Error>),
    Running(Lease),
    /// Also after a panic in a poll.
    Over,
}

/// The end of a chunk.
pub(super) struct Ended<A> {
    pub(super) results: Results,
    pub(super) rest: Untouched<A>,
    /// How many items have run, and for how long.
    pub(super) ran: usize,
    pub(super) took: Duration,
}

/// How the poll of a chunk goes on.
enum Step<A> {
    Next(State),
    Pending(State),
    Ended(Ended<A>, CallOutcome),
}

impl<A: Transfer, R: Transfer> Run<A, R> {
    /// With an error in place of the token, its items get that.
    pub(super) fn new(
        task: Arc<Task<A, R>>,
        items: VecDeque<A>,
        bounds: (ChunkBounds, usize),
        context: WorkerContext,
        permit: Result<Permit, Error>,
    ) -> Self {
        let mut run = Self {
            task,
            items,
            left: VecDeque::new(),
            results: Results::new(),
            bounds,
            context,
            state: State::Over,
            refusals: 0,
            posted: None,
            is_chunk: false,
            is_newly_posted: false,
            overrun: None,
            clocks: None,
            record: CallRecord::made(),
            is_counted: false,
        };
        if CallRecord::is_wanted() {
            let (function, name) = run.task.name;
            run.record.begin(run.context.inner().observer(), function, name, &mut run.clocks);
        }
        run.state = match permit {
            Ok(permit) => run.check_out(permit),
            Err(error) => State::CheckedOut(Err(error)),
        };
        run
    }

    /// Once it is posted: how many items are in the job, and those that did not fit.
    pub(super) fn take_left(&mut self) -> Option<(usize, VecDeque<A>)> {
        let is_new = std::mem::take(&mut self.is_newly_posted);
        is_new.then(|| (self.items.len(), std::mem::take(&mut self.left)))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<A>> {
        let record = self.record.enter();
        loop {
            let state = std::mem::replace(&mut self.state, State::Over);
            let step = match state {
                State::CheckingOut(mut lease) => match lease.as_mut().poll(cx) {
                    Poll::Pending => Step::Pending(State::CheckingOut(lease)),
                    Poll::Ready(lease) => Step::Next(State::CheckedOut(lease)),
                },
                State::CheckedOut(Ok(lease)) => self.post(lease),
                State::CheckedOut(Err(error)) => self.fail(error),
                State::Running(lease) => self.poll_running(lease, cx),
                State::Over => self.after_panic(),
            };
            match step {
                Step::Next(state) => self.state = state,
                Step::Pending(state) => {
                    self.state = state;
                    self.record = record.leave();
                    return Poll::Pending;
                }
                Step::Ended(ended, outcome) => {
                    record.end(outcome);
                    self.count(outcome);
                    return Poll::Ready(ended);
                }
            }
        }
    }

    fn check_out(&mut self, permit: Permit) -> State {
        self.posted = None;
        if self.task.state.is_some() {
            self.context.inner().ledger().bring_up(|worker| !worker.has_lost_state());
        }
        let checkout = if self.refusals > MOST_REFUSALS / 2 {
            self.context.inner().check_out_new(permit)
        } else {
            self.context.inner().check_out(permit)
        };
        match checkout {
            Ok(Checkout::Ready(lease)) => State::CheckedOut(Ok(lease)),
            Ok(checkout) => {
                let (context, clocks) = (self.context.clone(), self.clocks.clone());
                State::CheckingOut(Box::pin(async move {
                    let inner = context.inner();
                    inner.unless_killed(inner.complete(checkout, clocks.as_ref())).await
                }))
            }
            Err(error) => State::CheckedOut(Err(error)),
        }
    }

    /// The worker makes its state anew, before it gets the chunk.
    #[cold]
    fn make_state(&self, lease: Lease) -> State {
        let (context, clocks) = (self.context.clone(), self.clocks.clone());
        State::CheckingOut(Box::pin(async move {
            let inner = context.inner();
            inner.unless_killed(inner.with_state(lease, clocks.as_ref())).await
        }))
    }

    /// Hands as many of the items over as can be sent together. Those at the front that cannot be sent fail.
    /// A worker that has lost the state they need makes it first.
    fn post(&mut self, mut lease: Lease) -> Step<A> {
        if self.task.state.is_some() && lease.worker().has_lost_state() {
            return Step::Next(self.make_state(lease));
        }
        loop {
            if self.items.is_empty() {
                return self.end(0, CallOutcome::Encode);
            }
            if let Some(clocks) = &self.clocks {
                clocks.run(lease.worker().process().pid());
            }
            let Task { alone, chunk, name, caller, .. } = &*self.task;
            let alone = alone.as_ref().filter(|_| self.items.len() == 1);
            self.is_chunk = alone.is_none();
            let posted = match (alone, chunk) {
                (Some(function), _) => lease.post(function, &self.items[0], caller, None, None, None).map(|()| 1),
                (None, Ok(chunk)) => lease.post_chunk(chunk, *name, self.items.iter(), self.bounds, caller),
                (None, Err(error)) => Err(Error::Encode(error.clone())),
            };
            match posted {
                Ok(count) => {
                    self.left = self.items.split_off(count);
                    (self.posted, self.is_newly_posted) = (Some(Instant::now()), true);
                    return Step::Next(State::Running(lease));
                }
                Err(Error::Encode(error)) => {
                    self.items.pop_front();
                    self.results.push_back(Outcomes::Failed(Error::Encode(error)));
                }
                Err(error) => return self.fail(error),
            }
        }
    }

    fn poll_running(&mut self, mut lease: Lease, cx: &mut Context<'_>) -> Step<A> {
        match lease.poll_outcome(cx) {
            Poll::Pending => {
                if self.overrun.is_none() {
                    if let Poll::Ready(error) = lease.poll_overrun(cx) {
                        // Which items have run is known once it has ended.
                        self.overrun = Some(error);
                        lease.worker().kill();
                        return Step::Next(State::Running(lease));
                    }
                }
                Step::Pending(State::Running(lease))
            }
            Poll::Ready(Outcome::Answered(answer)) => self.answered(lease, answer),
            Poll::Ready(Outcome::Broken(error)) => self.broken(lease, error),
            Poll::Ready(Outcome::NotSent(error)) => {
                drop(lease.let_go());
                self.fail(error)
            }
            Poll::Ready(Outcome::NotTaken(unclean)) => {
                lease.context().ledger().note(unclean);
                self.refusals += 1;
                if let Some(clocks) = &self.clocks {
                    clocks.has_not_run();
                }
                if let Some(error) = self.overrun.take() {
                    drop(lease.let_go());
                    return self.fail(error);
                }
                if self.refusals > MOST_REFUSALS {
                    let what = "worker after worker said that it had not taken the job".to_owned();
                    let error = lease.worker().kill_for_violation(what);
                    return self.fail(lease.broken(error));
                }
                let permit = lease.let_go();
                Step::Next(self.check_out(permit))
            }
        }
    }

    fn answered(&mut self, mut lease: Lease, answer: Answer) -> Step<A> {
        let items = self.items.len();
        let (has_panics, results, ran) = if !self.is_chunk {
            (answer.has_panicked(), Outcomes::One(answer), 1)
        } else {
            match answer.into_chunk(items) {
                ChunkOutcome::Ran(answer) if answer.ran() > 0 => {
                    let ran = answer.ran();
                    (answer.has_panics(), Outcomes::Chunk(answer), ran)
                }
                ChunkOutcome::Failed(error) => {
                    self.give_back(lease);
                    return self.fail(error);
                }
                ChunkOutcome::Ran(_) | ChunkOutcome::Unreadable => {
                    let error = lease.worker().kill_for_violation("an answer that is not of its chunk".to_owned());
                    return self.all_broken(lease, error);
                }
            }
        };
        self.give_back(lease);
        self.results.push_back(results);
        self.end(ran, if has_panics { CallOutcome::Panicked } else { CallOutcome::Ok })
    }

    /// The call is over, and its worker goes back to the cache, unless it is killed.
    fn give_back(&mut self, lease: Lease) {
        if self.overrun.is_some() {
            return lease.discard();
        }
        lease.finish();
        self.is_counted = true;
    }

    /// The worker has died: of the item whose result is the first that is not there.
    fn broken(&mut self, mut lease: Lease, error: BrokenWorkerError) -> Step<A> {
        let items = self.items.len();
        let mut ran = 0;
        if self.is_chunk {
            match lease.worker().published().map(|answer| answer.into_chunk(items)) {
                Ok(ChunkOutcome::Ran(answer)) => {
                    ran = answer.ran();
                    self.results.push_back(Outcomes::Chunk(answer));
                }
                _ if lease.was_killed_with_context() => {}
                _ => return self.all_broken(lease, error),
            }
        }
        if ran == items {
            // It had run all of them, and then died.
            let unclean = Some(error.clone()).filter(|_| self.overrun.is_none() && !lease.was_killed_with_context());
            lease.context().ledger().note(unclean);
            lease.discard();
            return self.end(ran, CallOutcome::Ok);
        }
        let mut error = lease.broken(error);
        if let Some(overrun) = self.overrun.take() {
            error = if matches!(error, Error::Closed) { error } else { overrun };
        }
        let outcome = error.outcome();
        self.results.push_back(Outcomes::Failed(error));
        self.end(ran + 1, outcome)
    }

    fn all_broken(&mut self, lease: Lease, error: BrokenWorkerError) -> Step<A> {
        let items = self.items.len();
        drop(lease.broken(error.clone()));
        self.results.push_back(Outcomes::Broken(items, error));
        self.end(items, CallOutcome::Crashed)
    }

    /// None of its items has run. The first one fails; where `error` may be about another, each is sent alone.
    fn fail(&mut self, error: Error) -> Step<A> {
        let outcome = error.outcome();
        if matches!(error, Error::Closed | Error::State(_)) {
            let items = self.items.len() + self.left.len();
            self.left.clear();
            self.results.push_back(match error {
                Error::State(error) => Outcomes::WrongState(items, error),
                _ => Outcomes::Closed(items),
            });
            return self.end(items, outcome);
        }
        if self.items.len() > 1 && matches!(error, Error::Encode(_) | Error::Decode(_)) {
            let mut step = self.end(0, outcome);
            if let Step::Ended(ended, _) = &mut step {
                ended.rest.alone = true;
            }
            return step;
        }
        self.results.push_back(Outcomes::Failed(error));
        self.end(1, outcome)
    }

    fn end(&mut self, ran: usize, outcome: CallOutcome) -> Step<A> {
        let took = self.posted.map_or(Duration::ZERO, |posted| posted.elapsed());
        let took = match self.results.back() {
            Some(Outcomes::Chunk(answer)) => answer.took().unwrap_or(took),
            _ => took,
        };
        let mut rest = std::mem::take(&mut self.items);
        rest.drain(..ran.min(rest.len()));
        rest.append(&mut self.left);
        Step::Ended(
            Ended { results: std::mem::take(&mut self.results), rest: Untouched::new(rest), ran, took },
            outcome,
        )
    }

    /// The last poll has panicked: a `Serialize` where nothing was posted, or else a waker.
    fn after_panic(&mut self) -> Step<A> {
        match self.posted {
            None => self.fail(Error::Encode(EncodeError::of_panic())),
            Some(_) => {
                let items = self.items.len();
                self.results.push_back(Outcomes::Panicked(items));
                self.end(items, CallOutcome::Cancelled)
            }
        }
    }
}

impl<A, R> Run<A, R> {
    fn count(&mut self, outcome: CallOutcome) {
        let is_answered = std::mem::replace(&mut self.is_counted, true);
        if !(is_forked() || is_answered && outcome == CallOutcome::Ok) {
            self.context.inner().observer().call_failed(outcome, is_answered);
        }
    }
}

impl<A, R> Drop for Run<A, R> {
    fn drop(&mut self) {
        if is_forked() {
            // A thread that is not in the fork may have locked what it waits for.
            return std::mem::forget(std::mem::replace(&mut self.state, State::Over));
        }
        if !self.is_counted {
            drop(std::mem::replace(&mut self.state, State::Over));
            self.count(CallOutcome::Cancelled);
        }
    }
}
