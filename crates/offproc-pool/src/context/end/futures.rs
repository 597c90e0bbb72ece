//! The futures of a context's end.

use crate::context::inner::ContextInner;
use offproc_core::{BoxFuture, BrokenWorkerError};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// The future of [`WorkerContext::close`](crate::WorkerContext::close).
///
/// # Panics
///
/// When polled after it has resolved.
#[must_use = "a context is not closed until this is awaited"]
pub struct Close(Closing);

impl Close {
    pub(crate) fn new(context: &Arc<ContextInner>) -> Self {
        Self(Closing::New(Arc::clone(context)))
    }
}

impl Future for Close {
    type Output = Result<(), BrokenWorkerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl fmt::Debug for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close").finish_non_exhaustive()
    }
}

/// The future of [`WorkerContext::close_within`](crate::WorkerContext::close_within).
///
/// # Panics
///
/// When polled after it has resolved.
#[must_use = "a context is not closed until this is awaited"]
pub struct CloseWithin {
    closing: Closing,
    within: Duration,
}

impl CloseWithin {
    pub(crate) fn new(context: &Arc<ContextInner>, within: Duration) -> Self {
        let within = within.min(context.settings.pool.shutdown.grace_period);
        Self { closing: Closing::New(Arc::clone(context)), within }
    }
}

impl Future for CloseWithin {
    type Output = Result<(), BrokenWorkerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Closing::New(context) = &self.closing {
            context.begin_close_within(self.within);
        }
        self.closing.poll(cx)
    }
}

impl fmt::Debug for CloseWithin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseWithin").field("within", &self.within).finish_non_exhaustive()
    }
}

/// A context that closes. The first poll begins the closing, which then goes on in the background.
enum Closing {
    New(Arc<ContextInner>),
    Begun(BoxFuture<Result<(), BrokenWorkerError>>),
    Over,
}

impl Closing {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BrokenWorkerError>> {
        if let Self::New(context) = self {
            let context = Arc::clone(context);
            context.begin_close();
            *self = Self::Begun(Box::pin(async move { context.wait_closed().await }));
        }
        let Self::Begun(closing) = self else { panic!("a close was polled after it had resolved") };
        let closed = closing.as_mut().poll(cx);
        if closed.is_ready() {
            *self = Self::Over;
        }
        closed
    }
}
