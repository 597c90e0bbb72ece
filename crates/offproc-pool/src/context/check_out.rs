//! A call checks a worker out: from the cache, or a new one.

use super::inner::{ContextInner, StartGuard, may_call};
use super::lease::Lease;
use super::ledger::{Lookup, WorkerLedger};
use crate::limiter::Permit;
use crate::timing::Clocks;
use futures_lite::future;
use offproc_core::{Error, RetireDecision, sleep};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

/// How long a call waits for the decision of a worker's `retire` function before it takes another worker.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a call with a token gets from its context.
pub(crate) enum Checkout {
    /// A worker that takes the job now.
    Ready(Lease),
    /// A cached worker whose `retire` function has not decided yet whether it stays.
    Undecided(Lease),
    /// No cached worker: the ledger counts a start from here on, which the caller has to make.
    Start(StartGuard, Permit),
}

impl ContextInner {
    /// A worker from the cache, or the start of a new one.
    pub(crate) fn check_out(self: &Arc<Self>, permit: Permit) -> Result<Checkout, Error> {
        self.look(permit, false)
    }

    /// The start of a new worker, whatever is in the cache.
    pub(crate) fn check_out_new(self: &Arc<Self>, permit: Permit) -> Result<Checkout, Error> {
        may_call()?;
        Ok(Checkout::Start(WorkerLedger::begin_start(self)?, permit))
    }

    /// A call that has `waited` for a worker's decision without success takes no other worker whose decision is
    /// overdue.
    #[inline]
    fn look(self: &Arc<Self>, permit: Permit, waited: bool) -> Result<Checkout, Error> {
        may_call()?;
        loop {
            let (worker, running) = match WorkerLedger::check_out(self, waited)? {
                Lookup::Hit(worker, running) => (worker, running),
                Lookup::Miss(starting) => return Ok(Checkout::Start(starting, permit)),
            };
            // It was started with rights that the program has given up: it runs neither this job nor any other.
            if worker.is_of_other_rights() {
                self.dismiss(*worker);
                continue;
            }
            let lease = Lease::new(running, worker, permit);
            self.top_up();
            return Ok(if self.may_retire { Checkout::Undecided(lease) } else { Checkout::Ready(lease) });
        }
    }

    /// Waits until there is a worker.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future returns a cached worker to the cache and kills one that was being started.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        mut checkout: Checkout,
        clocks: Option<&Clocks>,
    ) -> Result<Lease, Error> {
        let mut waited = false;
        loop {
            let permit = match checkout {
                Checkout::Ready(lease) => return Ok(lease),
                Checkout::Start(starting, permit) if self.settings.pool.start.worker_type.is_command() => {
                    match self.start_by_command(&self.runtime, clocks, starting, true).await? {
                        Some((worker, starting)) => {
                            let lease = Lease::new(starting.into_running(), worker, permit);
                            self.top_up();
                            return Ok(lease);
                        }
                        None => permit,
                    }
                }
                Checkout::Start(starting, permit) => {
                    let (worker, starting) = self.start(&self.runtime, clocks, starting).await?;
                    let lease = Lease::new(starting.into_running(), worker, permit);
                    self.top_up();
                    return Ok(lease);
                }
                Checkout::Undecided(mut lease) => match self.decision(&mut lease).await {
                    Some(RetireDecision::Stays) => return Ok(lease),
                    Some(RetireDecision::Leaves) => lease.let_go(),
                    None => {
                        waited = true;
                        lease.return_to_back()
                    }
                },
            };
            checkout = self.look(permit, waited)?;
        }
    }

    /// Whether a cached worker stays. `None` if its `retire` function takes too long.
    async fn decision(&self, lease: &mut Lease) -> Option<RetireDecision> {
        let worker = lease.worker();
        let was_late = worker.is_decision_overdue();
        let decision = async { Some(poll_fn(|cx| worker.poll_retire_decision(cx, &self.runtime)).await) };
        let patience = async {
            // Checks one that was late before, and does not wait for it.
            if !was_late {
                sleep(PATIENCE).await;
            }
            None
        };
        future::or(decision, patience).await
    }
}
