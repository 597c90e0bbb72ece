//! Code of subscribers and recorders.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `code`. The panic hook reports a panic, which ends nothing of ours.
pub(super) fn run_foreign(code: impl FnOnce()) {
    // The panic's payload may panic in its drop.
    let _ = catch_unwind(AssertUnwindSafe(code)).map_err(std::mem::forget);
}
