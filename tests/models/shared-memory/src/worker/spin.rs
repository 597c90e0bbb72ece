//! How a worker waits before it sleeps.

use crate::job::attachments::Incoming;
use crate::model::Wait;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct WorkerSpin(Wait);

impl WorkerSpin {
    pub(super) fn new(_most: Duration) -> Self {
        Self(Wait::of_worker())
    }

    pub(super) fn until<T>(&mut self, mut look: impl FnMut() -> Option<T>, _is_idle: impl Fn()) -> Option<T> {
        // One that is awake finds out, too, that its time is up.
        self.0.until(|| look().map(Some).or_else(|| Incoming::has_enough().then_some(None))).flatten()
    }

    pub(super) fn woken(&mut self) {}

    pub(super) fn is_contended(&self) -> bool {
        false
    }
}
