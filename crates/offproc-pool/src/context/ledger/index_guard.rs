//! A worker that starts takes an index.

use super::guards::HasLedger;
use super::worker_ledger::{PooledWorker, State, WorkerLedger};
use crate::sync::Arc;
use std::fmt;

impl<W: PooledWorker> State<W> {
    /// Workers that were asked to leave, or killed, and have not ended: they still have their index.
    fn ending(&self) -> usize {
        self.members.len().saturating_sub(self.idle.len() + self.running)
    }
}

impl<W: PooledWorker> WorkerLedger<W> {
    /// The lowest free index. `patiently`: if that is not below `total`, waits for workers that are ending.
    pub(crate) async fn take_index<C: HasLedger<Worker = W>>(
        context: &Arc<C>,
        patiently: bool,
        total: impl Fn() -> usize,
    ) -> IndexGuard<C> {
        let is_free = |state: &State<W>| !patiently || state.indices.lowest_free() < total() || state.ending() == 0;
        loop {
            let ledger = context.ledger();
            ledger.until(|state| &mut state.changed, is_free).await;
            let mut state = ledger.lock();
            // Another start may have taken it meanwhile.
            if is_free(&state) {
                let index = state.indices.lowest_free();
                state.indices.take(index);
                return IndexGuard::new(context, index);
            }
        }
    }
}

/// The index of a worker that starts. Its drop makes it free again, unless the worker keeps it.
pub(crate) struct IndexGuard<C: HasLedger> {
    context: Arc<C>,
    index: usize,
    is_kept: bool,
}

impl<C: HasLedger> IndexGuard<C> {
    /// Of an index that was taken.
    pub(super) fn new(context: &Arc<C>, index: usize) -> Self {
        Self { context: Arc::clone(context), index, is_kept: false }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// For a worker that is entered in the ledger: it has the index until its end.
    pub(crate) fn keep(mut self) -> usize {
        self.is_kept = true;
        self.index
    }
}

impl<C: HasLedger> Drop for IndexGuard<C> {
    fn drop(&mut self) {
        if !self.is_kept {
            let mut state = self.context.ledger().lock();
            state.indices.free(self.index);
            WorkerLedger::changed(state);
        }
    }
}

impl<C: HasLedger> fmt::Debug for IndexGuard<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexGuard").field("index", &self.index).finish_non_exhaustive()
    }
}
