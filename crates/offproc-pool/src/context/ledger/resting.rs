//! Where commands start the workers, an index whose command fails rests, and others go on.

use super::guards::HasLedger;
use super::index_guard::IndexGuard;
use super::rests::Cause;
use super::worker_ledger::{PooledWorker, State, WorkerLedger};
use crate::sync::Arc;
use std::time::Instant;

/// What a start by a command gets.
pub(crate) enum Turn<C: HasLedger> {
    /// An index that does not rest.
    Index(IndexGuard<C>),
    /// None: there is an idle worker, which the call can have, or all indices have workers, and the cache gets none.
    Idle,
    /// None: all rest, and no worker is left.
    AllRest(Cause),
    /// Neither, until a worker is idle or an index is free, or until then.
    Wait(Option<Instant>),
}

impl<W: PooledWorker> WorkerLedger<W> {
    /// An index below `total` that is free and does not rest: that whose command has failed least, and of those the
    /// lowest. A start that is not `patient` is for the cache, and waits for nothing.
    pub(crate) fn turn<C: HasLedger<Worker = W>>(
        context: &Arc<C>,
        total: usize,
        patient: bool,
        now: Instant,
    ) -> Turn<C> {
        let mut state = context.ledger().lock();
        if let Some(index) = state.awake(total, now) {
            state.indices.take(index);
            return Turn::Index(IndexGuard::new(context, index));
        }
        if patient && state.has_idle() {
            return Turn::Idle;
        }
        match state.rests.first_to_end(total.max(1), now) {
            Some((_, cause)) if !patient || state.indices.is_empty() => Turn::AllRest(cause.clone()),
            Some((until, _)) => Turn::Wait(Some(until)),
            None if !patient => Turn::Idle,
            None => Turn::Wait(None),
        }
    }

    /// Waits until the turn of a patient start may be another.
    pub(crate) async fn until_turn(&self, total: impl Fn() -> usize) {
        self.until(
            |state| &mut state.changed,
            |state| state.has_idle() || state.indices.is_empty() || state.awake(total(), Instant::now()).is_some(),
        )
        .await;
    }

    /// The command of an index has failed, which was kept, and is free from here on. True if another may do: one that
    /// does not rest, or one whose worker starts or runs.
    ///
    /// `since`: when the attempt began.
    pub(crate) fn rests(&self, index: usize, cause: Cause, total: usize, since: Instant) -> bool {
        let (mut state, now) = (self.lock(), Instant::now());
        state.rests.begin(index, cause, now, now.saturating_duration_since(since));
        state.indices.free(index);
        let goes_on = state.awake(total, now).is_some() || !state.indices.is_empty();
        Self::changed(state);
        goes_on
    }

    /// It has started a worker.
    pub(crate) fn is_up(&self, index: usize) {
        self.lock().rests.forget(index);
    }
}

impl<W: PooledWorker> State<W> {
    /// Those whose decision is overdue are at the back.
    fn has_idle(&self) -> bool {
        self.idle.last().is_some_and(|worker| !worker.is_decision_overdue())
    }

    fn awake(&self, total: usize, now: Instant) -> Option<usize> {
        // A call that has a token has an index, too, even if the tokens have become fewer meanwhile.
        let awake = (0..total.max(1)).filter(|index| self.indices.is_free(*index) && !self.rests.has(*index, now));
        awake.min_by_key(|index| self.rests.failures(*index))
    }
}
