//! What a worker inherits: here always from the program as it is.

use crate::sys::fork_registry::TrackedGift;
use crate::wire::hello::Inherited;
use std::convert::Infallible;

/// The state of the program when a fork server started: there is none.
#[derive(Debug)]
pub(crate) struct Heritage(Infallible);

impl Heritage {
    pub(crate) fn changes(&self) -> (Inherited, Option<TrackedGift>) {
        match self.0 {}
    }
}
