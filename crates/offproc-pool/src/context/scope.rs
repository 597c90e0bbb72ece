//! Scopes: a private context for all calls made inside a future.
//!
//! The scope belongs to the future, not to the thread: it is current while the future is polled, and only then.

use crate::context::WorkerContext;
use crate::context::builder::WorkerContextBuilder;
use offproc_core::{BrokenWorkerError, ConfigError};
use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

thread_local! {
    static CURRENT: RefCell<Option<WorkerContext>> = const { RefCell::new(None) };
}

/// The context of the innermost scope around the current poll; none at the end of a thread.
pub(crate) fn innermost() -> Option<WorkerContext> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Makes a scope current until it is dropped, also by a panic; then the one before is current again.
struct Entered(Option<WorkerContext>);

impl Entered {
    fn new(context: &WorkerContext) -> Self {
        Self(CURRENT.try_with(|current| current.replace(Some(context.clone()))).ok().flatten())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // At the end of a thread its thread-locals are gone.
        let before = self.0.take();
        let _ = CURRENT.try_with(|current| current.replace(before));
    }
}

/// Why a [`cache_scope`] has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScopeError {
    /// The context could not be opened; the future did not run.
    Config(ConfigError),
    /// The future ran to its end, but workers of the scope did not end cleanly. The future's result is lost.
    BrokenWorkers(BrokenWorkerError),
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(e) => e.fmt(f),
            Self::BrokenWorkers(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ScopeError {
    // What it wraps is its own text.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(e) => e.source(),
            Self::BrokenWorkers(e) => e.source(),
        }
    }
}

/// Runs `future` with a private context for all calls made inside it, and closes that context at the end.
///
/// Scopes nest; a call on an explicit [`WorkerContext`] is not affected. A task that the future hands to `spawn` is
/// not inside it, unless it carries the scope along: [`in_cache_scope`](CacheScopeExt::in_cache_scope).
///
/// # Errors
///
/// [`ScopeError`]: a setting cannot work, or workers did not end cleanly.
///
/// # Cancel safety
///
/// Dropping the future drops the one inside, with the calls it waits for, and closes the context in the background: its
/// workers leave or are killed, and offproc reaps them.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::{WorkerContext, cache_scope, run_sync};
///
/// let answer = cache_scope(WorkerContext::builder(), async { run_sync(|x: u32| x * 2, 21).await }).await??;
/// assert_eq!(answer, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn cache_scope<F: Future>(builder: WorkerContextBuilder, future: F) -> CacheScope<F> {
    CacheScope { stage: Stage::Before { builder: Some(builder), future: Some(future) } }
}

pin_project! {
    /// The future of [`cache_scope`].
    ///
    /// # Panics
    ///
    /// When polled after it has resolved.
    #[must_use = "a scope does nothing until it is awaited"]
    pub struct CacheScope<F: Future> {
        #[pin]
        stage: Stage<F>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F: Future> {
        Before { builder: Option<WorkerContextBuilder>, future: Option<F> },
        Inside { scope: Scope, #[pin] future: F },
        Closing { output: Option<F::Output>, closing: Closing },
    }
}

/// Closes the context when the scope ends, however it ends, even if there are other handles to it.
#[derive(Debug)]
struct Scope(WorkerContext);

impl Drop for Scope {
    fn drop(&mut self) {
        self.0.inner().begin_close();
    }
}

type Closing = Pin<Box<dyn Future<Output = Result<(), BrokenWorkerError>> + Send>>;

impl<F: Future> Future for CacheScope<F> {
    type Output = Result<F::Output, ScopeError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        loop {
            let next = match stage.as_mut().project() {
                StageProjection::Before { builder, future } => {
                    let (Some(builder), Some(future)) = (builder.take(), future.take()) else {
                        panic!("a scope that could not be opened was polled again");
                    };
                    let context = builder.open().map_err(ScopeError::Config)?;
                    Stage::Inside { scope: Scope(context), future }
                }
                StageProjection::Inside { scope, future } => {
                    let entered = Entered::new(&scope.0);
                    let output = ready!(future.poll(cx));
                    drop(entered);
                    let context = scope.0.clone();
                    Stage::Closing { output: Some(output), closing: Box::pin(async move { context.close().await }) }
                }
                StageProjection::Closing { output, closing } => {
                    let closed = ready!(closing.as_mut().poll(cx));
                    let output = output.take().expect("a finished scope was polled again");
                    return Poll::Ready(closed.map(|()| output).map_err(ScopeError::BrokenWorkers));
                }
            };
            stage.set(next);
        }
    }
}

impl<F: Future> fmt::Debug for CacheScope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheScope").finish_non_exhaustive()
    }
}

/// Carries the current scope along.
pub trait CacheScopeExt: Future + Sized + sealed::Sealed {
    /// Ties the future to the scope that is current now, so that it can be handed to `spawn` and still use it. Outside
    /// any scope, it changes nothing.
    ///
    /// The scope does not wait for the task: once it has ended, calls of the task get
    /// [`Error::Closed`](crate::Error::Closed).
    ///
    /// # Cancel safety
    ///
    /// As the future that it is called on.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), offproc::ScopeError> {
    /// use offproc::{CacheScopeExt, WorkerContext, cache_scope, run_sync};
    ///
    /// cache_scope(WorkerContext::builder(), async {
    ///     let task = tokio::spawn(async { run_sync(|x: u32| x, 1).await }.in_cache_scope());
    ///     task.await
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    fn in_cache_scope(self) -> InCacheScope<Self> {
        InCacheScope { context: innermost(), future: self }
    }
}

impl<F: Future> CacheScopeExt for F {}

mod sealed {
    pub trait Sealed {}
    impl<F: std::future::Future> Sealed for F {}
}

pin_project! {
    /// The future of [`in_cache_scope`](CacheScopeExt::in_cache_scope).
    #[derive(Debug)]
    #[must_use = "futures do nothing until they are awaited"]
    pub struct InCacheScope<F> {
        context: Option<WorkerContext>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for InCacheScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.context.as_ref().map(Entered::new);
        this.future.poll(cx)
    }
}
