//! A map waits for a token, or for the end of its context, which may come first.

use crate::context::{HasLedger, WorkerContext};
use crate::limiter::default::default_limiter;
use crate::limiter::stuck;
use crate::limiter::{Acquire, Permit};
use offproc_core::{BoxFuture, Error, is_forked};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A place in the queue for a token; it does not count for `max_queue`.
#[derive(Default)]
pub(super) struct Token(Option<Waiting>);

struct Waiting {
    token: Acquire,
    closed: BoxFuture<()>,
}

impl Token {
    /// A token for the next chunk.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, context: &WorkerContext) -> Poll<Result<Permit, Error>> {
        let waiting = match &mut self.0 {
            Some(waiting) => waiting,
            None => {
                let limiter = context.inner().limiter.clone().unwrap_or_else(default_limiter);
                if let Some(permit) = limiter.try_acquire() {
                    return Poll::Ready(Ok(permit));
                }
                stuck::watch(&limiter, context.inner().observer());
                let context = Arc::clone(context.inner());
                let closed = Box::pin(async move { context.ledger().closed().await });
                self.0.insert(Waiting { token: limiter.acquire(), closed })
            }
        };
        let polled = match Pin::new(&mut waiting.token).poll(cx) {
            Poll::Ready(permit) => Poll::Ready(Ok(permit)),
            Poll::Pending => waiting.closed.as_mut().poll(cx).map(|()| Err(Error::Closed)),
        };
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }

    /// In a fork of the program, where a thread that is not in it may have locked the limiter.
    pub(super) fn forget(&mut self) {
        std::mem::forget(self.0.take());
    }

    /// No chunk wants one now.
    pub(super) fn give_up(&mut self) {
        self.0 = None;
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if is_forked() {
            self.forget();
        }
    }
}
