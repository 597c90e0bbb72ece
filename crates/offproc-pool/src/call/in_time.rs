//! How a call with a deadline advances.

use super::request::State;
use super::run_sync::RunSync;
use crate::context::may_call;
use offproc_core::{Error, Station, Transfer, ensure_background, is_forked};
use std::task::{Context, Poll};

impl<A, R> RunSync<A, R>
where
    A: Transfer,
    R: Transfer,
{
    /// As [`advance`](Self::advance), until the deadline has passed. If a result is there by then, the call returns it.
    #[cold]
    pub(super) fn advance_in_time(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Error>> {
        if !self.has_begun() {
            if let Err(error) = self.begin_deadline() {
                self.state = State::Over;
                return Poll::Ready(Err(error));
            }
        }
        // A fork of the program has neither the thread that wakes timers nor workers.
        if is_forked() {
            return self.advance(cx);
        }
        if self.state.is_before_its_job() && self.is_out_of_time() {
            return Poll::Ready(Err(self.exceed_deadline()));
        }
        let polled = self.advance(cx);
        if polled.is_pending() && self.deadline.as_mut().is_some_and(|deadline| deadline.poll(cx).is_ready()) {
            // A job that is over has ended in time, and waited for its log records.
            let is_over = if let State::Running(_, lease) = &mut self.state { lease.worker().hurry() } else { false };
            return if is_over { self.advance(cx) } else { Poll::Ready(Err(self.exceed_deadline())) };
        }
        polled
    }

    /// True once the deadline has passed, if there is one.
    pub(super) fn is_out_of_time(&self) -> bool {
        self.deadline.as_ref().is_some_and(|deadline| deadline.has_passed())
    }

    fn begin_deadline(&mut self) -> Result<(), Error> {
        may_call()?;
        // The clocks show at which station the call is.
        self.options().clocks.get_or_insert_default().enter(Station::Queued);
        let deadline = self.deadline.get_or_insert_default();
        deadline.begin();
        if !deadline.has_passed() {
            // The background thread wakes the timer.
            ensure_background().map_err(Error::Spawn)?;
        }
        Ok(())
    }

    /// Ends the call: it leaves the queue, gives up its start, or has its worker killed.
    fn exceed_deadline(&mut self) -> Error {
        Error::DeadlineExceeded(match std::mem::replace(&mut self.state, State::Over) {
            State::Running(_, lease) => {
                lease.kill();
                Station::Running
            }
            State::CheckingOut(call, _lease) => {
                call.options.clocks.and_then(|clocks| clocks.station()).unwrap_or(Station::Queued)
            }
            _ => Station::Queued,
        })
    }
}
