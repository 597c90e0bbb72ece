//! A worker that has lost its state makes it anew.

use super::{Outcome, Worker};
use crate::error::{EncodeError, Error, Phase};
use crate::parent::runtime::RuntimeSelector;
use crate::settings::state_maker::StateMaker;
use crate::wire::writer::Full;
use std::task::{Context, Poll, ready};

impl Worker {
    /// True if a job has cost the worker its state, and no other was made.
    #[must_use]
    pub fn has_lost_state(&self) -> bool {
        self.has_lost_state
    }

    /// Has the worker make its state anew, between two jobs.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    pub fn post_state(&mut self, state: &StateMaker) -> Result<(), Error> {
        let no_room = |Full| EncodeError("there is no memory for the value that the state is made of".to_owned());
        self.hand_over(Phase::State, state.task(), false, |_, out| out.extend(state.job()).map_err(no_room))
    }

    /// The outcome of that. It is not a job of the program's: the worker does not decide after it whether it stays.
    pub fn poll_state(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<Outcome> {
        let may_retire = std::mem::replace(&mut self.may_retire, false);
        let polled = self.poll_outcome(cx, runtime);
        self.may_retire = may_retire;
        let outcome = ready!(polled);
        self.has_lost_state = !matches!(&outcome, Outcome::Answered(answer) if answer.is_result());
        Poll::Ready(outcome)
    }
}
