//! A worker on loan to one call, with the token that pays for it: whatever happens, both come back.

use crate::limiter::Permit;
use crate::limits::{Limits, Overrun};
use crate::shared::Shared;
use futures_lite::future;
use offproc_core::{BrokenWorkerError, Error, Host, Outcome, Worker, entrust};
use serde::{Serialize, de::DeserializeOwned};
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A worker on loan. Dropped with a job under way, it kills the worker or leaves it to finish, as the call wants it.
#[derive(Debug)]
pub(crate) struct Lease {
    // `None` only between taking it out and forgetting the lease.
    loan: Option<Loan>,
    in_flight: bool,
    kill_on_drop: bool,
    // Boxed, so that a lease stays small.
    overrun: Option<Box<Overrun>>,
}

#[derive(Debug)]
struct Loan {
    shared: Arc<Shared>,
    worker: Worker,
    permit: Permit,
}

impl Lease {
    pub(crate) fn new(shared: Arc<Shared>, worker: Worker, permit: Permit) -> Self {
        Self { loan: Some(Loan { shared, worker, permit }), in_flight: false, kill_on_drop: false, overrun: None }
    }

    pub(crate) fn worker(&mut self) -> &mut Worker {
        &mut self.loan.as_mut().expect("on loan").worker
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.loan.as_ref().expect("on loan").shared
    }

    /// Hands over a job.
    pub(crate) fn post<A, R>(
        &mut self,
        function: fn(A) -> R,
        argument: &A,
        caller: &'static Location<'static>,
        limits: Option<&Limits>,
        kill_on_drop: bool,
    ) -> Result<(), Error>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let loan = self.loan.as_mut().expect("on loan");
        match (limits, &loan.shared.limits) {
            (None, None) => loan.worker.post(function, argument, caller, None)?,
            (limits, defaults) => {
                let limits = limits.copied().unwrap_or_default().or(defaults.unwrap_or_default());
                let watch = limits.watch(loan.worker.process())?;
                loan.worker.post(function, argument, caller, limits.soft().as_ref())?;
                self.overrun = watch.map(|watch| Box::new(watch.begin(loan.shared.host.clone())));
            }
        }
        (self.in_flight, self.kill_on_drop) = (true, kill_on_drop);
        Ok(())
    }

    /// Ready when the job has passed a hard limit.
    pub(crate) fn poll_overrun(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.overrun.as_mut().map_or(Poll::Pending, |overrun| overrun.poll(cx))
    }

    /// What became of the job.
    pub(crate) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let loan = self.loan.as_mut().expect("on loan");
        let outcome = ready!(loan.worker.poll_outcome(cx, &loan.shared.host));
        self.in_flight = false;
        Poll::Ready(outcome)
    }

    /// The worker is gone; the token stays with the call.
    pub(crate) fn discard(mut self) -> Permit {
        let loan = self.loan.take().expect("on loan");
        loan.shared.check_off();
        loan.permit
    }

    /// The worker is leaving, and gets the time for it; the token stays with the call.
    pub(crate) fn let_go(mut self) -> Permit {
        let loan = self.loan.take().expect("on loan");
        loan.shared.check_off();
        loan.shared.dismiss(loan.worker);
        loan.permit
    }

    /// The worker goes to the far end of the cache; the token stays with the call.
    pub(crate) fn set_aside(mut self) -> Permit {
        let loan = self.loan.take().expect("on loan");
        loan.shared.check_in_last(loan.worker);
        loan.permit
    }

    /// Kills the worker.
    pub(crate) fn kill(mut self) {
        self.kill_on_drop = true;
        self.in_flight = true;
    }

    /// The worker goes back, and then the token, so that whoever waits for it finds the worker.
    pub(crate) fn give_back(&mut self) {
        if let Some(Loan { shared, worker, permit }) = self.loan.take() {
            shared.check_in(worker);
            drop(permit);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.in_flight {
            return self.give_back();
        }
        let Some(loan) = self.loan.take() else { return };
        if self.kill_on_drop {
            loan.worker.kill();
            loan.shared.check_off();
        } else {
            let shared = Arc::clone(&loan.shared);
            let overrun = self.overrun.take();
            shared.begin_abandoned();
            entrust(async move {
                loan.see_through(overrun).await;
                shared.end_abandoned();
            });
        }
    }
}

impl Loan {
    /// The end of an abandoned job. Its limits hold, and once its context is closed it has the grace period left.
    async fn see_through(mut self, overrun: Option<Box<Overrun>>) {
        let host = Host::fallback();
        let outcome = async { End::Outcome(poll_fn(|cx| self.worker.poll_outcome(cx, &host)).await) };
        let overrun = async {
            match overrun {
                Some(overrun) => drop(overrun.without_caller().await),
                None => pending().await,
            }
            End::Overrun
        };
        let overdue = async {
            self.shared.overdue().await;
            End::Overdue
        };
        match future::or(outcome, future::or(overrun, overdue)).await {
            End::Outcome(Outcome::Answered(_)) => {
                self.shared.check_in(self.worker);
                drop(self.permit);
            }
            // It left before it took the job, which was abandoned: it need not run.
            End::Outcome(Outcome::NotTaken(unclean)) => {
                self.shared.note(unclean);
                self.shared.check_off();
                self.shared.dismiss(self.worker);
            }
            End::Outcome(Outcome::Broken(error)) => self.end_broken(error),
            // As the caller wanted it.
            End::Overrun => {
                self.worker.kill();
                poll_fn(|cx| self.worker.poll_end(cx)).await;
                self.shared.check_off();
            }
            End::Overdue => {
                self.worker.kill();
                poll_fn(|cx| self.worker.poll_end(cx)).await;
                let error = self.worker.error();
                self.end_broken(error);
            }
        }
    }

    fn end_broken(self, error: BrokenWorkerError) {
        self.shared.note(Some(error));
        self.shared.check_off();
    }
}

/// How an abandoned job ends.
enum End {
    Outcome(Outcome),
    /// It has passed a limit.
    Overrun,
    /// Its context was closed a grace period ago.
    Overdue,
}
