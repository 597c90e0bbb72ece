//! The state of workers: which one a context has, and a worker that has lost its own makes another.

use super::inner::ContextInner;
use super::lease::Lease;
use super::ledger::HasLedger;
use crate::limiter::Permit;
use crate::timing::Clocks;
use futures_lite::future;
use offproc_core::{Error, Outcome, StateError, StateMaker, StateType, Station, sleep};
use std::future::poll_fn;
use std::io;
use std::sync::Arc;

impl ContextInner {
    /// An error if workers of this context do not have the state that a call needs.
    pub(crate) fn check_state(&self, wanted: Option<&StateType>) -> Result<(), Error> {
        let found = self.settings.worker.state.as_ref().map(StateMaker::state);
        match wanted {
            Some(wanted) if !found.is_some_and(|found| found.is(wanted)) => {
                Err(StateError::new(wanted.name(), found.map(StateType::name)).into())
            }
            _ => Ok(()),
        }
    }

    /// Waits until the leased worker, or another one, has its state.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the worker that makes its state.
    pub(crate) async fn with_state(
        self: &Arc<Self>,
        mut lease: Lease,
        clocks: Option<&Clocks>,
    ) -> Result<Lease, Error> {
        while lease.worker().has_lost_state() {
            let permit = match &self.settings.worker.state {
                // In its sandbox, a worker may not be able to make another.
                Some(state) if self.settings.worker.start.sandbox.is_none() => {
                    if let Some(clocks) = clocks {
                        clocks.enter(Station::Starting);
                    }
                    match self.make_state(lease, state).await? {
                        Made::State(lease) => return Ok(lease),
                        Made::Nothing(permit) => permit,
                    }
                }
                _ => lease.let_go(),
            };
            lease = self.complete(self.check_out(permit)?, clocks).await?;
        }
        Ok(lease)
    }

    async fn make_state(&self, mut lease: Lease, state: &StateMaker) -> Result<Made, Error> {
        lease.post_state(state)?;
        let made = async { Some(poll_fn(|cx| lease.poll_state(cx)).await) };
        let timeout = self.settings.worker.start.start_timeout;
        let late = async {
            sleep(timeout).await;
            None
        };
        match future::or(made, late).await {
            Some(Outcome::Answered(answer)) => match answer.open() {
                Ok(()) => {
                    self.observer().state_made();
                    Ok(Made::State(lease))
                }
                // A start that fails ends its worker, too.
                Err(error) => {
                    drop(lease.let_go());
                    Err(error)
                }
            },
            Some(Outcome::Broken(error)) => Err(lease.broken(error)),
            Some(Outcome::NotSent(error)) => {
                drop(lease.let_go());
                Err(error)
            }
            Some(Outcome::NotTaken(unclean)) => {
                self.ledger().note(unclean);
                Ok(Made::Nothing(lease.let_go()))
            }
            None => {
                lease.kill();
                let reason = format!(
                    "the worker had not made its state anew within {timeout:?} (the context's `start_timeout`) and was \
                     killed"
                );
                Err(Error::Spawn(io::Error::new(io::ErrorKind::TimedOut, reason)))
            }
        }
    }
}

/// What has come of an attempt to make a state.
enum Made {
    State(Lease),
    /// The worker had left before it began.
    Nothing(Permit),
}
