//! A call: from the caller's `run_sync` to its result.

use crate::context::WorkerContext;
use crate::default_limiter::current_default_worker_limiter;
use crate::limiter::Limiter;
use crate::shared::Shared;
use futures_lite::future;
use offproc_core::{Answer, Error, Outcome, Request};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A call that has not begun: set what it needs, then `.await` it.
///
/// Nothing happens before the first poll of the future it turns into.
#[must_use = "a call does nothing until it is awaited"]
pub struct RunSync<A, R> {
    function: fn(A) -> R,
    argument: A,
    context: Option<WorkerContext>,
    options: Options,
}

#[derive(Clone, Debug, Default)]
struct Options {
    kill_on_cancel: bool,
    limiter: Option<Limiter>,
    time_limit: Option<Duration>,
}

/// Runs `f(arg)` in a cached worker process of the current context.
///
/// The current context is that of the innermost [`cache_scope`](crate::cache_scope) around the first poll, or else the
/// default one. `f` is a plain function, or a closure that captures nothing; several arguments travel as a tuple.
///
/// # Errors
///
/// See [`Error`].
///
/// # Cancel safety
///
/// Dropping the future before it has a worker cancels the call: it never runs. After that, the job is killed with its
/// worker if [`kill_on_cancel`](RunSync::kill_on_cancel) is set, and otherwise runs to its end unobserved.
pub fn run_sync<A, R>(f: fn(A) -> R, arg: A) -> RunSync<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    RunSync { function: f, argument: arg, context: None, options: Options::default() }
}

impl<A, R> RunSync<A, R> {
    pub(crate) fn on(mut self, context: &WorkerContext) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Whether dropping the future kills the job; `false` by default.
    ///
    /// With `true`, the worker has been sent SIGKILL (`TerminateProcess` on Windows) by the time `drop` returns, and
    /// is reaped without anybody's help. With `false`, the job runs to its end, its result is thrown away, its limiter
    /// token stays taken until then, and the worker goes back to the cache.
    pub fn kill_on_cancel(mut self, kill: bool) -> Self {
        self.options.kill_on_cancel = kill;
        self
    }

    /// Takes the token for this call from `limiter`, not from the default one.
    pub fn limiter(mut self, limiter: &Limiter) -> Self {
        self.options.limiter = Some(limiter.clone());
        self
    }

    /// Wall-clock time from the moment the job starts in its worker; waiting for a token and starting a worker do not
    /// count. Past it, the worker is killed and the call ends with [`Error::TimedOut`].
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.options.time_limit = Some(limit);
        self
    }
}

impl<A, R> fmt::Debug for RunSync<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunSync")
            .field("function", &std::any::type_name::<fn(A) -> R>())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<A, R> IntoFuture for RunSync<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    type Output = Result<R, Error>;
    type IntoFuture = Call<A, R>;

    fn into_future(self) -> Call<A, R> {
        Call { function: self.function, state: CallState::New(self) }
    }
}

/// The future of a call; see [`run_sync`].
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<A, R> {
    function: fn(A) -> R,
    state: CallState<A, R>,
}

enum CallState<A, R> {
    New(RunSync<A, R>),
    Running(Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>),
    Over,
}

// Nothing in it is ever pinned but what a box pins.
impl<A, R> Unpin for Call<A, R> {}

impl<A, R> Future for Call<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match std::mem::replace(&mut self.state, CallState::Over) {
                CallState::New(call) => {
                    let context = call.context.unwrap_or_else(crate::scope::current);
                    let shared = context.shared();
                    // First of all, so that a value that cannot travel takes no token and no worker.
                    let request = Request::new(self.function, &call.argument, shared.settings.frame_limit)?;
                    drop(call.argument);
                    self.state = CallState::Running(Box::pin(run(Arc::clone(shared), request, call.options)));
                }
                CallState::Running(mut running) => match running.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = CallState::Running(running);
                        return Poll::Pending;
                    }
                    answer => {
                        drop(running);
                        return Poll::Ready(ready!(answer)?.open());
                    }
                },
                CallState::Over => panic!("a finished call was polled again"),
            }
        }
    }
}

impl<A, R> fmt::Debug for Call<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            CallState::New(_) => "new",
            CallState::Running(_) => "running",
            CallState::Over => "over",
        };
        f.debug_struct("Call").field("function", &std::any::type_name::<fn(A) -> R>()).field("state", &state).finish()
    }
}

/// The way of a request. Every `.await` has a guard behind it: the permit, the start, the lease.
async fn run(shared: Arc<Shared>, mut request: Request, options: Options) -> Result<Answer, Error> {
    let mut permit = match &options.limiter {
        Some(limiter) => limiter.acquire().await,
        None => current_default_worker_limiter().acquire().await,
    };
    loop {
        let mut lease = shared.check_out(permit, options.kill_on_cancel).await?;
        let outcome = match options.time_limit {
            None => Some(lease.run(request, &shared.host).await),
            Some(limit) => {
                let job = async { Some(lease.run(request, &shared.host).await) };
                let late = async {
                    shared.host.sleep(limit).await;
                    None
                };
                future::or(job, late).await
            }
        };
        match outcome {
            Some(Outcome::Answered(answer)) => return Ok(lease.finish(answer)),
            Some(Outcome::Broken(error)) => {
                drop(lease.discard());
                return Err(error.into());
            }
            Some(Outcome::NotTaken) => {
                // The worker left, or was gone, before it had the job: that is nobody's error. It runs elsewhere.
                let Some(untaken) = lease.worker().take_back() else { unreachable!("a posted job is kept") };
                request = untaken;
                permit = lease.discard();
            }
            None => {
                lease.kill();
                return Err(Error::TimedOut);
            }
        }
    }
}
