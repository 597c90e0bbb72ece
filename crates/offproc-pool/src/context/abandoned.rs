//! An abandoned job: its call was dropped without `kill_on_cancel`, or with a `cancel_grace`.

use crate::context::inner::{AbandonedGuard, ContextInner, RunningGuard};
use crate::context::ledger::HasLedger;
use crate::limiter::Permit;
use crate::limiter::stuck::{self, AbandonedPermit};
use crate::limits::{Deadline, Overrun};
use crate::observe::RunTimer;
use futures_lite::future;
use offproc_core::{BrokenWorkerError, Outcome, RuntimeSelector, Worker, sleep, spawn_background};
use std::future::{pending, poll_fn};
use std::time::Duration;

/// What the job may still use, and when it has to be over.
pub(crate) type Limits = (Option<Box<Overrun>>, Option<Box<Deadline>>);

/// An abandoned job, with its worker and its token. Dropped before its end, it kills the worker.
pub(crate) struct Abandoned {
    // In this order: a close that waits for the count finds the rest done.
    running: RunningGuard,
    worker: Box<Worker>,
    permit: AbandonedPermit,
    timer: RunTimer,
    _count: AbandonedGuard,
}

impl Abandoned {
    /// Waits for the end of the job in the background. A chunk ends with the item that runs.
    pub(crate) fn begin(
        running: RunningGuard,
        worker: Box<Worker>,
        permit: Permit,
        timer: RunTimer,
        limits: Limits,
        grace: Option<Duration>,
    ) {
        let count = running.begin_abandoned();
        let permit = permit.abandon();
        stuck::watch(permit.limiter(), running.observer());
        let mut job = Self { running, worker, permit, timer, _count: count };
        if grace.is_some() {
            job.worker.request_stop();
        } else {
            job.worker.withdraw_items();
        }
        spawn_background(job.finish_detached(limits, grace));
    }

    /// Its limits hold, and once its context is closed it has the grace period. A job that was asked to stop has the
    /// `grace` of its call for that.
    async fn finish_detached(mut self, (overrun, deadline): Limits, grace: Option<Duration>) {
        let runtime = RuntimeSelector::fallback();
        let outcome = async { AbandonedEnd::Outcome(poll_fn(|cx| self.worker.poll_outcome(cx, &runtime)).await) };
        let overrun = async {
            match overrun {
                Some(overrun) => drop(overrun.without_caller().await),
                None => pending().await,
            }
            AbandonedEnd::Overrun
        };
        let late = async {
            match deadline {
                Some(mut deadline) => poll_fn(|cx| deadline.poll(cx)).await,
                None => pending().await,
            }
            AbandonedEnd::Overrun
        };
        let unheeded = async {
            match grace {
                Some(grace) => sleep(grace).await,
                None => pending().await,
            }
            AbandonedEnd::Overrun
        };
        let overdue = async {
            self.running.overdue().await;
            AbandonedEnd::Overdue
        };
        let end = future::or(outcome, future::or(future::or(overrun, late), future::or(unheeded, overdue))).await;
        // A job that is over has ended in time, and waited for its log records.
        let end = if self.worker.hurry() {
            AbandonedEnd::Outcome(poll_fn(|cx| self.worker.poll_outcome(cx, &runtime)).await)
        } else {
            end
        };
        match end {
            AbandonedEnd::Outcome(Outcome::Answered(_)) => {
                let Self { running, worker, permit, timer, _count } = self;
                if grace.is_some() {
                    // It takes no other job.
                    running.dismiss(*worker);
                    drop(running);
                } else {
                    ContextInner::check_in(running, worker);
                }
                drop((permit, timer));
            }
            // The worker left before it took the job, which was abandoned: it need not run.
            AbandonedEnd::Outcome(Outcome::NotTaken(unclean)) => {
                self.timer.has_not_run();
                let Self { running, worker, permit, timer: _, _count } = self;
                running.ledger().note(unclean);
                running.dismiss(*worker);
                drop((running, permit));
            }
            AbandonedEnd::Outcome(Outcome::NotSent(_)) => {
                self.timer.has_not_run();
                let Self { running, worker, permit, timer: _, _count } = self;
                running.dismiss(*worker);
                drop((running, permit));
            }
            AbandonedEnd::Outcome(Outcome::Broken(error)) => self.note(error),
            // The caller had set that limit: nothing to report.
            AbandonedEnd::Overrun => {
                self.worker.kill();
                poll_fn(|cx| self.worker.poll_end(cx)).await;
            }
            AbandonedEnd::Overdue => {
                self.worker.kill();
                poll_fn(|cx| self.worker.poll_end(cx)).await;
                let error = self.worker.error();
                self.note(error);
            }
        }
    }

    /// Records how its worker ended, unless its context killed it, which is recorded with the end itself.
    fn note(&self, error: BrokenWorkerError) {
        if !self.worker.process().was_killed_with_context() {
            self.running.ledger().note(Some(error));
        }
    }
}

/// How an abandoned job ends.
enum AbandonedEnd {
    Outcome(Outcome),
    /// It has passed a limit, or has not stopped in time.
    Overrun,
    /// Its context was closed a grace period ago.
    Overdue,
}
