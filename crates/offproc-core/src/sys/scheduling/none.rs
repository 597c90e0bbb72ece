//! The scheduling of a thread: a new process does not inherit it from the thread that starts it.

use serde::{Deserialize, Serialize};

/// Nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scheduling(());

impl Scheduling {
    pub(crate) fn of_program() -> Self {
        Self(())
    }

    pub(crate) fn adopt(&self) {}
}
