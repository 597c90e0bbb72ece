//! The ledger's counts, each kept by guards that it hands out: whatever happens to the holder of a guard, a panic
//! included, its drop counts down again, so that a close does not wait for ever.

use super::worker_ledger::{Locked, PooledWorker, State, WorkerLedger};
use crate::sync::Arc;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// A context, which has a ledger.
pub(crate) trait HasLedger {
    type Worker: PooledWorker;

    fn ledger(&self) -> &WorkerLedger<Self::Worker>;
}

/// A start that has begun.
pub(crate) type StartGuard<C> = CountGuard<C, Starting>;
/// A worker that is lent: it has a job, or is about to get one.
pub(crate) type RunningGuard<C> = CountGuard<C, Running>;
/// A job that runs on although its call was dropped.
pub(crate) type AbandonedGuard<C> = CountGuard<C, Abandoned>;
/// A call that waits for a token.
pub(crate) type WaitingGuard<C> = CountGuard<C, Waiting>;

/// One of something that the ledger has counted up. Its drop counts it down.
pub(crate) struct CountGuard<C: HasLedger, K: Counted> {
    context: Arc<C>,
    /// It was counted down together with another change.
    is_settled: bool,
    kind: PhantomData<K>,
}

/// A kind of count.
pub(crate) trait Counted {
    fn count<W: PooledWorker>(state: &mut State<W>) -> &mut usize;
    /// Whether a close may wait for the count.
    const ENDS_A_WAIT: bool;
}

macro_rules! counted {
    ($($kind:ident: $field:ident, $ends_a_wait:literal;)*) => {$(
        pub(crate) enum $kind {}

        impl Counted for $kind {
            fn count<W: PooledWorker>(state: &mut State<W>) -> &mut usize {
                &mut state.$field
            }

            const ENDS_A_WAIT: bool = $ends_a_wait;
        }
    )*};
}

counted! {
    Starting: starting, true;
    Running: running, false;
    Abandoned: abandoned, true;
    Waiting: waiting, false;
}

impl<C: HasLedger, K: Counted> CountGuard<C, K> {
    /// Counts one up.
    pub(super) fn new(context: &Arc<C>, state: &mut State<C::Worker>) -> Self {
        *K::count(state) += 1;
        Self { context: Arc::clone(context), is_settled: false, kind: PhantomData }
    }

    /// Counts it down. The caller makes other changes that belong to it under the same lock.
    pub(super) fn settle(&mut self) -> Locked<'_, C::Worker> {
        debug_assert!(!self.is_settled, "it is counted down once");
        self.is_settled = true;
        let mut state = self.context.ledger().lock();
        *K::count(&mut state) -= 1;
        state
    }
}

/// The context that it is of.
impl<C: HasLedger, K: Counted> Deref for CountGuard<C, K> {
    type Target = Arc<C>;

    fn deref(&self) -> &Arc<C> {
        &self.context
    }
}

impl<C: HasLedger, K: Counted> Drop for CountGuard<C, K> {
    fn drop(&mut self) {
        if !self.is_settled {
            let state = self.settle();
            if K::ENDS_A_WAIT {
                WorkerLedger::changed(state);
            }
        }
    }
}

impl<C: HasLedger, K: Counted> fmt::Debug for CountGuard<C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountGuard").field("is_settled", &self.is_settled).finish_non_exhaustive()
    }
}
