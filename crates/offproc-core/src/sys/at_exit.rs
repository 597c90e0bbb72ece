//! Work at the orderly end of the process.

use super::calls;
use std::sync::OnceLock;

static HOOK: OnceLock<fn()> = OnceLock::new();

/// Runs `hook` when the program returns from `main` or calls `exit`. The first hook stays: only one caller registers
/// one.
pub(crate) fn register(hook: fn()) {
    if HOOK.set(hook).is_ok() {
        calls::atexit(run);
    }
}

extern "C" fn run() {
    if let Some(hook) = HOOK.get() {
        let _ = std::panic::catch_unwind(hook);
    }
}
