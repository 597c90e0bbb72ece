//! The spare: the worker that a fork server forks ahead.

use crate::parent::launch::launcher::Launched;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The place of the spare.
#[derive(Debug, Default)]
pub(super) struct SpareSlot(Mutex<Spare>);

/// | state | until | then |
/// |---|---|---|
/// | `Missing` | a worker has been started | `Coming` |
/// | `Coming` | it is forked, or cannot be | `There`, or `Missing` |
/// | `There` | a start takes it | `Missing` |
/// | any of them | the server forks no more | `Unwanted` |
#[derive(Debug, Default)]
enum Spare {
    #[default]
    Missing,
    Coming,
    There(Launched),
    Unwanted,
}

impl SpareSlot {
    fn lock(&self) -> MutexGuard<'_, Spare> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the spare, if there is one that lives.
    pub(super) fn take(&self) -> Option<Launched> {
        let mut spare = self.lock();
        match std::mem::take(&mut *spare) {
            Spare::There(launched) => Some(launched).filter(|launched| !launched.process.0.has_ended()),
            other => {
                *spare = other;
                None
            }
        }
    }

    /// True for the one caller that has to fork a spare.
    pub(super) fn begin(&self) -> bool {
        let mut spare = self.lock();
        let is_missing = matches!(*spare, Spare::Missing);
        if is_missing {
            *spare = Spare::Coming;
        }
        is_missing
    }

    /// The spare was forked, or could not be.
    pub(super) fn end(&self, launched: Option<Launched>) {
        let mut spare = self.lock();
        if matches!(*spare, Spare::Coming) {
            *spare = launched.map_or(Spare::Missing, Spare::There);
        }
    }

    /// There will be no spare any more.
    pub(super) fn close(&self) {
        *self.lock() = Spare::Unwanted;
    }
}
