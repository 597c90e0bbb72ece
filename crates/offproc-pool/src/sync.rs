//! The primitives that loom has to see: its own under `--cfg loom`, the usual ones otherwise.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use offproc_core::{WaitList, is_forked, wake, wake_all};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
#[cfg(loom)]
pub(crate) use wait_list::{WaitList, wake, wake_all};

/// There are no processes under loom.
#[cfg(loom)]
pub(crate) fn is_forked() -> bool {
    false
}

/// The real one: under loom there is no `offproc-core`.
#[cfg(loom)]
#[path = "../../offproc-core/src/wait_list.rs"]
#[allow(dead_code, unreachable_pub, missing_docs)]
mod wait_list;
