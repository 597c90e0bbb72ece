//! The orderly end of the program: no worker outlives it, and idle ones do their own work at exit before.

use crate::shared::Shared;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

static CONTEXTS: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Has the context's workers ended with the program.
pub(crate) fn register(context: &Arc<Shared>) {
    offproc_core::at_exit(end_all);
    let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    contexts.retain(|context| context.strong_count() > 0);
    contexts.push(Arc::downgrade(context));
}

fn end_all() {
    if offproc_core::is_forked() {
        return; // a copy of the books, but none of the workers
    }
    let contexts = std::mem::take(&mut *CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner));
    let now = Instant::now();
    let ends: Vec<_> = contexts
        .iter()
        .filter_map(Weak::upgrade)
        .map(|shared| {
            // Without end is no option here: a program that has returned from `main` is to be over.
            let deadline = now.checked_add(shared.grace_period).unwrap_or(now + LONGEST);
            (shared.end(), shared, deadline)
        })
        .collect();
    for ((_idle, members), shared, deadline) in &ends {
        for member in members {
            member.wait_or_kill(*deadline);
        }
        // After its workers: a fork server is who reaps them.
        shared.launcher.end(*deadline);
    }
    for (_, _, deadline) in &ends {
        offproc_core::settle_stderr(*deadline);
    }
}

const LONGEST: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
