//! A lock after which gauges show what has changed under it.

use crate::observe::{ContextGauges, GaugeCounts};
use offproc_core::is_forked;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

/// What has gauges.
pub(super) trait Gauged {
    fn counts(&self) -> GaugeCounts;
    fn gauges(&mut self) -> &mut ContextGauges;
}

/// Its drop counts what has changed, releases the lock, and then calls the recorder.
pub(super) struct GaugedGuard<'a, S: Gauged>(Option<MutexGuard<'a, S>>);

impl<'a, S: Gauged> GaugedGuard<'a, S> {
    pub(super) fn new(guard: MutexGuard<'a, S>) -> Self {
        Self(Some(guard))
    }
}

impl<S: Gauged> Deref for GaugedGuard<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.0.as_ref().expect("locked until it is dropped")
    }
}

impl<S: Gauged> DerefMut for GaugedGuard<'_, S> {
    fn deref_mut(&mut self) -> &mut S {
        self.0.as_mut().expect("locked until it is dropped")
    }
}

impl<S: Gauged> Drop for GaugedGuard<'_, S> {
    fn drop(&mut self) {
        let Some(mut state) = self.0.take() else { return };
        let counts = state.counts();
        let changed = state.gauges().count(counts);
        drop(state);
        if let Some(changed) = changed.filter(|_| !is_forked()) {
            changed.report();
        }
    }
}
