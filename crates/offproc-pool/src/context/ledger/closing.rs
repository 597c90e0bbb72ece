//! The end of a context, in its ledger.

use super::worker_ledger::{PooledWorker, State, WorkerLedger};

/// It all ends.
impl<W: PooledWorker> WorkerLedger<W> {
    /// Closes for new calls. Returns the cached workers, which the caller asks to leave; `None` if it was closed
    /// before.
    pub(crate) fn close(&self) -> Option<Vec<W>> {
        let mut state = self.lock_open().ok()?;
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        Self::closing(state);
        Some(idle)
    }

    /// Kills a closed context. Returns every worker that has not been reaped, for the caller to kill; those that start
    /// from now on are killed when they enter.
    pub(crate) fn kill(&self) -> Vec<W::Process> {
        let mut state = self.lock();
        state.killed = true;
        let members = state.members.values().map(|(process, _)| process.clone()).collect();
        Self::closing(state);
        members
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// True once nothing is left of a closed context.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Ready once the workers of the context are killed.
    pub(crate) async fn killed(&self) {
        self.until(|state| &mut state.closing, |state| state.killed).await;
    }

    /// Waits until nothing is left, and does not take the error.
    pub(crate) async fn empty(&self) {
        self.until(|state| &mut state.changed, |state| state.over).await;
    }

    pub(crate) async fn closed(&self) {
        self.until(|state| &mut state.closing, |state| state.closed).await;
    }

    /// Ready once all workers of a closed context are gone.
    pub(crate) async fn all_gone(&self) {
        // An abandoned job may have ended its worker, and not have recorded that yet. A start that is given up ends
        // once its call is dropped or polled; a killed context does not wait for that.
        let is_so = |state: &State<W>| {
            state.members.is_empty() && (state.starting == 0 || state.killed) && state.abandoned == 0
        };
        self.until(|state| &mut state.changed, is_so).await;
    }

    /// Nothing is left.
    pub(crate) fn finish(&self, unclean: Option<W::Unclean>) {
        let mut state = self.lock();
        state.note(unclean);
        state.over = true;
        Self::changed(state);
    }

    /// Waits until nothing is left; returns the error, once.
    pub(crate) async fn over(&self) -> Option<W::Unclean> {
        self.empty().await;
        self.lock().unclean.take()
    }

    /// For the end of the program: closes. Returns the cached workers, and every worker that has not been reaped.
    pub(crate) fn end(&self) -> (Vec<W>, Vec<W::Process>) {
        let mut state = self.lock();
        state.closed = true;
        (std::mem::take(&mut state.idle), state.members.values().map(|(process, _)| process.clone()).collect())
    }
}
