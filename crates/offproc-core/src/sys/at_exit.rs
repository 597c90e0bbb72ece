//! Work at the orderly end of the process.
#![allow(unsafe_code)]

use std::sync::OnceLock;

static HOOK: OnceLock<fn()> = OnceLock::new();

/// Runs `hook` when the program returns from `main` or calls `exit`. The first hook stays; there is one caller.
pub(crate) fn register(hook: fn()) {
    if HOOK.set(hook).is_ok() {
        // SAFETY: `run` is a function of the type asked for, lives as long as the program, and does not unwind.
        unsafe { libc::atexit(run) };
    }
}

extern "C" fn run() {
    if let Some(hook) = HOOK.get() {
        let _ = std::panic::catch_unwind(hook);
    }
}
