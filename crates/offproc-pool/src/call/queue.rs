//! A call that waits for a token, or for the end of its context, which may come first.

use crate::context::{ContextInner, HasLedger, WorkerLedger};
use crate::limiter::{Acquire, Permit, WaitingCount};
use offproc_core::{BoxFuture, Error};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A place in the queue for a token.
pub(super) struct InQueue {
    token: Acquire,
    /// What counts the call in its context, until the limiter's queue has it: a call that has got its token does not
    /// wait any more, even if it has not been polled since.
    count: WaitingCount,
    /// Wakes the call when its context closes.
    closed: BoxFuture<()>,
}

impl InQueue {
    /// An error once the context is closed, or where as many calls wait in it as may.
    pub(super) fn new(token: Acquire, context: &Arc<ContextInner>) -> Result<Self, Error> {
        let most = context.settings.pool.calls.max_queue;
        Ok(Self { token, count: count(context, most)?, closed: closed(context) })
    }

    /// Ready with the token, or with an error once the context of the call is closed. The context may change, as the
    /// default context can be replaced: `current` returns it, and the call keeps its place in the queue.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        current: impl Fn() -> Arc<ContextInner>,
    ) -> Poll<Result<Permit, Error>> {
        while self.closed.as_mut().poll(cx).is_ready() {
            let context = current();
            // It has its place already: the bound is for those who come.
            self.count = count(&context, None)?;
            self.closed = closed(&context);
        }
        self.token.poll_counted(cx, &mut self.count).map(Ok)
    }
}

fn count(context: &Arc<ContextInner>, most: Option<usize>) -> Result<WaitingCount, Error> {
    let waiting = WorkerLedger::begin_waiting(context, most)?.ok_or(Error::Overloaded)?;
    Ok(Some(Box::new(waiting)))
}

fn closed(context: &Arc<ContextInner>) -> BoxFuture<()> {
    let context = Arc::clone(context);
    Box::pin(async move { context.ledger().closed().await })
}
