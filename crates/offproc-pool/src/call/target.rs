//! What a call runs.

use offproc_core::{Function, JobFunction, StateType};
use std::panic::Location;

/// A function, and where the call of it was made. As small as for a plain function.
pub(super) enum Target<A, R> {
    Plain(fn(A) -> R, &'static Location<'static>),
    WithState(Box<(JobFunction<A, R>, &'static Location<'static>)>),
}

impl<A, R> Target<A, R> {
    /// The type of the state that the function takes.
    #[inline]
    pub(super) fn state(&self) -> Option<&StateType> {
        match self {
            Self::Plain(..) => None,
            Self::WithState(target) => target.0.state(),
        }
    }

    /// The address of the function, and its type.
    pub(super) fn name(&self) -> (usize, &'static str) {
        match self {
            Self::Plain(function, _) => (*function as usize, std::any::type_name::<fn(A) -> R>()),
            Self::WithState(target) => (target.0.address(), target.0.type_name()),
        }
    }
}
