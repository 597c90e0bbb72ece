//! The orderly end of the program: no worker outlives it, and idle ones run their own `atexit` handlers before.

use offproc_core::{Worker, WorkerProcess};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

static CONTEXTS: Mutex<Vec<Weak<dyn EndsWithProgram>>> = Mutex::new(Vec::new());

/// A context, whose workers end with the program.
#[allow(clippy::vec_box, reason = "a worker stays in its box when it goes from hand to hand")]
pub(crate) trait EndsWithProgram: Send + Sync {
    /// How long its workers may take.
    fn grace_period(&self) -> Duration;

    /// Asks idle workers to leave and kills those that are lent. Returns the idle ones, and every worker that has not
    /// been reaped.
    fn begin_end(&self) -> (Vec<Box<Worker>>, Vec<WorkerProcess>);

    /// Ends the launcher.
    fn end_launcher(&self, deadline: Instant);
}

/// Ends the context's workers with the program.
pub(crate) fn register(context: Weak<dyn EndsWithProgram>) {
    if offproc_core::is_forked() {
        return; // a fork has no workers, and a thread that is not in it may have locked the list
    }
    offproc_core::at_exit(end_all);
    let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    contexts.retain(|context| context.strong_count() > 0);
    contexts.push(context);
}

fn end_all() {
    if offproc_core::is_forked() {
        return; // a fork has a copy of the ledger, but none of the workers
    }
    let contexts = std::mem::take(&mut *CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner));
    let now = Instant::now();
    let ends: Vec<_> = contexts
        .iter()
        .filter_map(Weak::upgrade)
        .map(|context| {
            // Never wait for ever here: a program that has returned from `main` must end.
            let deadline = now.checked_add(context.grace_period()).unwrap_or(now + LONGEST);
            (context.begin_end(), context, deadline)
        })
        .collect();
    for ((_idle, members), context, deadline) in &ends {
        for member in members {
            member.wait_or_kill(*deadline);
        }
        // After its workers, which a fork server has to reap.
        context.end_launcher(*deadline);
    }
    // Also the output of workers whose context is gone.
    let last = ends.iter().map(|(_, _, deadline)| *deadline).max();
    offproc_core::settle_stderr(last.unwrap_or(now + STDERR));
    offproc_core::settle_logs(last.unwrap_or(now + LOGS).min(Instant::now() + LOGS));
}

const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long to wait for a full stderr, if no context has a grace period.
const STDERR: Duration = Duration::from_secs(30);
/// How long a subscriber is waited for that does not take what workers have logged.
const LOGS: Duration = Duration::from_secs(1);
