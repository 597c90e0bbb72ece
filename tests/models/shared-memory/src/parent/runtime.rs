//! Which runtime polls.

use crate::kernel::Trigger;

#[derive(Debug)]
pub(crate) struct RuntimeSelector {
    pub(crate) trigger: Trigger,
    /// Another number for another runtime.
    pub(crate) runtime: u32,
}
