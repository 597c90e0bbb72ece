//! Tokens of abandoned jobs, and the warning about a limiter all of whose tokens they hold, so that its callers wait
//! without an error.

use super::{Limiter, Permit, State};
use crate::observe::Observer;
use crate::sync::MutexGuard;
use offproc_core::{sleep, spawn_background};
use std::time::Duration;

/// How long that has to last.
const PATIENCE: Duration = Duration::from_secs(1);

/// The token of an abandoned job.
#[derive(Debug)]
pub(crate) struct AbandonedPermit(Permit);

impl Permit {
    /// Its job is abandoned from here on.
    pub(crate) fn abandon(self) -> AbandonedPermit {
        self.limiter.lock().abandoned.held += 1;
        AbandonedPermit(self)
    }
}

impl AbandonedPermit {
    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }
}

impl Drop for AbandonedPermit {
    fn drop(&mut self) {
        if let Some(mut state) = self.0.limiter.lock_to_return() {
            state.abandoned.held -= 1;
            state.abandoned.returned += 1;
        }
    }
}

/// Watches the limiter from now on, if abandoned jobs hold all its tokens and it is not watched yet.
pub(crate) fn watch(limiter: &Limiter, observer: &Observer) {
    if !limiter.begin_watch() {
        return;
    }
    let (limiter, audience) = (limiter.clone(), observer.audience());
    spawn_background(async move {
        // Each round ends in one of three ways: the state is over, is a new one, or has lasted.
        while let Some(before) = limiter.stuck() {
            sleep(PATIENCE).await;
            match limiter.stuck() {
                Some(now) if now.has_lasted_since(&before) => {
                    audience.tokens_are_held(now.tokens, now.waiting);
                    return warn(now.tokens, now.waiting);
                }
                _ => {}
            }
        }
        limiter.end_watch();
    });
}

/// Once for each limiter, as its watch does not end.
fn warn(tokens: usize, waiting: usize) {
    let what = if tokens == 1 { "the only token".to_owned() } else { format!("all {tokens} tokens") };
    let who = match waiting {
        0 => "calls wait".to_owned(),
        1 => "1 call waits".to_owned(),
        _ => format!("{waiting} calls wait"),
    };
    offproc_core::warn(format!(
        "offproc: {what} of a limiter have been held by abandoned jobs for a second, and {who}: a call that was \
         dropped leaves its job running, with its token, until it ends; set `.kill_on_cancel(true)`, a \
         `.time_limit(..)`, or give such calls a limiter of their own"
    ));
}

/// Abandoned jobs hold all tokens; this is a snapshot of that.
struct Stuck {
    tokens: usize,
    waiting: usize,
    returned: u64,
    tickets: u64,
}

impl Stuck {
    /// None of the tokens has come back since, and calls wait, or have waited.
    fn has_lasted_since(&self, before: &Self) -> bool {
        self.returned == before.returned && (self.waiting > 0 || self.tickets > before.tickets)
    }
}

impl Limiter {
    /// `None` unless abandoned jobs hold all tokens.
    fn stuck(&self) -> Option<Stuck> {
        Self::stuck_as(&self.lock())
    }

    /// True, once until [`end_watch`](Self::end_watch), if all tokens are held by abandoned jobs.
    fn begin_watch(&self) -> bool {
        let mut state = self.lock();
        let begins = !state.abandoned.is_watched && Self::stuck_as(&state).is_some();
        state.abandoned.is_watched |= begins;
        begins
    }

    fn end_watch(&self) {
        self.lock().abandoned.is_watched = false;
    }

    fn stuck_as(state: &MutexGuard<'_, State>) -> Option<Stuck> {
        // With 0 tokens, the program itself has stopped all calls.
        (state.total > 0 && state.abandoned.held >= state.total).then(|| Stuck {
            tokens: state.total,
            waiting: state.waiters.len(),
            returned: state.abandoned.returned,
            tickets: state.next_ticket,
        })
    }
}
