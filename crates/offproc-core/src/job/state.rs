//! The state of a worker, which its jobs of `run_with` share: made once in it, and lent to one job at a time.

use crate::error::DecodeError;
use std::any::{Any, TypeId, type_name};

/// A type of state.
#[derive(Clone, Copy, Debug)]
pub struct StateType {
    id: TypeId,
    name: &'static str,
}

impl StateType {
    pub(crate) fn of<S: 'static>() -> Self {
        Self { id: TypeId::of::<S>(), name: type_name::<S>() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// True for the same type.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// The state, in the worker. It stays on the thread that runs jobs.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    value: Option<Box<dyn Any>>,
    // The type of the value.
    name: &'static str,
    use_of: Use,
}

/// What the current job does with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing, so far.
    #[default]
    Untouched,
    /// It has the state.
    Lent,
    /// It makes the state.
    Made,
}

impl WorkerState {
    /// A job begins.
    pub(crate) fn begin_job(&mut self) {
        self.use_of = Use::Untouched;
    }

    /// What the job that began last has done with the state; `Lent` if it has not given it back, as it has panicked.
    pub(crate) fn use_of_job(&self) -> Use {
        self.use_of
    }

    /// For a job whose function takes an `S`. The parent has compared the types; a parent that is mistaken gets an
    /// error.
    pub(crate) fn lend<S: 'static>(&mut self) -> Result<&mut S, DecodeError> {
        let found = if self.value.is_some() { self.name } else { "no state" };
        match self.value.as_mut().and_then(|value| value.downcast_mut()) {
            Some(state) => {
                self.use_of = Use::Lent;
                Ok(state)
            }
            None => Err(DecodeError(format!(
                "the function takes a state of type `{}`, and this worker has: {found}",
                type_name::<S>()
            ))),
        }
    }

    /// The job has returned.
    pub(crate) fn give_back(&mut self) {
        self.use_of = Use::Untouched;
    }

    /// The current job makes a state.
    pub(crate) fn begin_making(&mut self) {
        self.use_of = Use::Made;
    }

    pub(crate) fn put<S: 'static>(&mut self, state: S) {
        self.value = Some(Box::new(state));
        self.name = type_name::<S>();
    }

    /// The state, which the caller drops: that may run code of the program.
    pub(crate) fn take(&mut self) -> Option<Box<dyn Any>> {
        self.value.take()
    }
}

impl Drop for WorkerState {
    /// A state that was not taken is not dropped: this process could not be made ready, and ends.
    fn drop(&mut self) {
        std::mem::forget(self.value.take());
    }
}
