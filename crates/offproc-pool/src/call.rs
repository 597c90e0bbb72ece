//! A call: from the caller's `run_sync` to its result.

use crate::context::WorkerContext;
use crate::default_limiter::current_default_worker_limiter;
use crate::lease::Lease;
use crate::limiter::Limiter;
use offproc_core::{BoxFuture, Error, Outcome};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A call that has not begun: set what it needs, then `.await` it.
///
/// Nothing happens before the first poll of the future it turns into. Where a future is asked for, not something that
/// can be awaited, use [`into_future`](IntoFuture::into_future).
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::{Limiter, run_sync};
/// use std::time::Duration;
///
/// let limiter = Limiter::new(2);
/// let call = run_sync(|x: u32| x + 1, 1).limiter(&limiter).time_limit(Duration::from_secs(10)).kill_on_cancel(true);
/// assert_eq!(call.await?, 2);
/// # Ok::<(), offproc::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "a call does nothing until it is awaited"]
pub struct RunSync<A, R> {
    function: fn(A) -> R,
    argument: A,
    context: Option<WorkerContext>,
    caller: &'static Location<'static>,
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
/// default one. `f` is a plain function, or a closure that captures nothing; several arguments travel as a tuple. A
/// closure that never returns needs its return type written: `|()| -> () { loop {} }`.
///
/// The argument is serialised, and the result deserialised, in the polls of the call. For large bytes, use
/// [`SharedBytes`](offproc_core::SharedBytes) or `serde_bytes`: a `Vec<u8>` is slow.
///
/// # Errors
///
/// See [`Error`].
///
/// # Cancel safety
///
/// Dropping the future before it has a worker cancels the call: it never runs. After that, the job is killed with its
/// worker if [`kill_on_cancel`](RunSync::kill_on_cancel) is set, and otherwise runs to its end unobserved.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::run_sync;
///
/// fn fibonacci(n: u32) -> u64 {
///     if n < 2 { n.into() } else { fibonacci(n - 1) + fibonacci(n - 2) }
/// }
///
/// assert_eq!(run_sync(fibonacci, 20).await?, 6765);
/// assert_eq!(run_sync(|(a, b): (u32, u32)| a + b, (1, 2)).await?, 3);
/// # Ok::<(), offproc::Error>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn run_sync<A, R>(f: fn(A) -> R, arg: A) -> RunSync<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    RunSync { function: f, argument: arg, context: None, caller: Location::caller(), options: Options::default() }
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
    ///
    /// What the job has started itself, other processes, is not killed with it.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use futures_lite::FutureExt;
    /// use offproc::run_sync;
    ///
    /// let endless = async { Some(run_sync(|()| -> () { loop {} }, ()).kill_on_cancel(true).await) };
    /// let nothing = endless.or(async { None }).await; // drops the call, and so ends the loop
    /// assert!(nothing.is_none());
    /// # });
    /// ```
    pub fn kill_on_cancel(mut self, kill: bool) -> Self {
        self.options.kill_on_cancel = kill;
        self
    }

    /// Takes the token for this call from `limiter`, not from the default one.
    pub fn limiter(mut self, limiter: &Limiter) -> Self {
        self.options.limiter = Some(limiter.clone());
        self
    }

    /// How long the job may run; as long as it likes by default.
    ///
    /// Wall-clock time from the moment the job starts in its worker; waiting for a token and starting a worker do not
    /// count. Past it, the worker is killed and the call ends with [`Error::TimedOut`].
    ///
    /// The limit is the call's: a job that is abandoned, its call dropped without
    /// [`kill_on_cancel`](Self::kill_on_cancel), has none any more.
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
        Call { state: CallState::New(self) }
    }
}

/// The future of a call; see [`run_sync`].
///
/// # Panics
///
/// When polled after it has resolved.
///
/// # Cancel safety
///
/// As [`run_sync`].
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<A, R> {
    state: CallState<A, R>,
}

enum CallState<A, R> {
    New(RunSync<A, R>),
    /// Waiting for a token, and then for a worker.
    Queued(RunSync<A, R>, BoxFuture<Result<Lease, Error>>),
    /// The worker has the job. The argument is kept for another worker, should this one turn out to have left.
    Running(RunSync<A, R>, Lease, Option<BoxFuture<()>>),
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

    // By hand, not as an async function: a warm call then allocates nothing, and has a name.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match std::mem::replace(&mut self.state, CallState::Over) {
                CallState::New(call) => {
                    if turns::is_over() {
                        self.state = CallState::New(call);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    self.state = call.begin()?;
                }
                CallState::Queued(call, mut queued) => match queued.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = CallState::Queued(call, queued);
                        turns::next();
                        return Poll::Pending;
                    }
                    Poll::Ready(lease) => self.state = call.post(lease?)?,
                },
                CallState::Running(call, mut lease, mut late) => match lease.poll_outcome(cx) {
                    Poll::Ready(Outcome::Answered(answer)) => {
                        lease.give_back();
                        return Poll::Ready(answer.open());
                    }
                    Poll::Ready(Outcome::Broken(error)) => {
                        drop(lease.discard());
                        return Poll::Ready(Err(error.into()));
                    }
                    // It left, or was gone, before it had the job: that is nobody's error. The job runs elsewhere.
                    Poll::Ready(Outcome::NotTaken(unclean)) => {
                        lease.shared().note(unclean);
                        self.state = call.requeue(lease);
                    }
                    Poll::Pending => {
                        if let Some(late) = &mut late
                            && late.as_mut().poll(cx).is_ready()
                        {
                            lease.kill();
                            return Poll::Ready(Err(Error::TimedOut));
                        }
                        self.state = CallState::Running(call, lease, late);
                        turns::next();
                        return Poll::Pending;
                    }
                },
                CallState::Over => panic!("a finished call was polled again"),
            }
        }
    }
}

impl<A, R> RunSync<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    fn begin(self) -> Result<CallState<A, R>, Error> {
        let shared = match &self.context {
            Some(context) => Arc::clone(context.shared()),
            None => Arc::clone(crate::scope::current().shared()),
        };
        let limiter = self.options.limiter.clone().unwrap_or_else(current_default_worker_limiter);
        let Some(permit) = limiter.try_acquire() else {
            return Ok(self.queue(async move { shared.check_out(limiter.acquire().await).await }));
        };
        match shared.check_out_now(permit)? {
            Ok(lease) => self.post(lease),
            Err(permit) => Ok(self.queue(async move { shared.check_out(permit).await })),
        }
    }

    fn queue(self, queued: impl Future<Output = Result<Lease, Error>> + Send + 'static) -> CallState<A, R> {
        CallState::Queued(self, Box::pin(queued))
    }

    fn requeue(self, lease: Lease) -> CallState<A, R> {
        let shared = Arc::clone(lease.shared());
        let permit = lease.let_go();
        self.queue(async move { shared.check_out(permit).await })
    }

    fn post(self, mut lease: Lease) -> Result<CallState<A, R>, Error> {
        lease.post(self.function, &self.argument, self.caller, self.options.kill_on_cancel)?;
        let late =
            self.options.time_limit.map(|limit| -> BoxFuture<()> { Box::pin(lease.shared().host.sleep_really(limit)) });
        Ok(CallState::Running(self, lease, late))
    }
}

/// Taking turns with other tasks: calls that are answered at once never return to the executor by themselves.
mod turns {
    use std::cell::Cell;

    /// How many calls a thread makes before it lets others have a turn.
    const MOST: u32 = 128;

    thread_local! {
        static MADE: Cell<u32> = const { Cell::new(0) };
    }

    /// Counts a call. True, once, when it is time to let others have a turn.
    pub(super) fn is_over() -> bool {
        let made = MADE.get() + 1;
        MADE.set(made % MOST);
        made == MOST
    }

    /// Others have their turn.
    pub(super) fn next() {
        MADE.set(0);
    }
}

impl<A, R> fmt::Debug for Call<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            CallState::New(_) => "new",
            CallState::Queued(..) => "queued",
            CallState::Running(..) => "running",
            CallState::Over => "over",
        };
        f.debug_struct("Call").field("function", &std::any::type_name::<fn(A) -> R>()).field("state", &state).finish()
    }
}
