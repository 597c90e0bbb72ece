//! A call: from the caller's `run_sync` to its result.

use crate::clocks::{CallTimes, Clocks, Station};
use crate::context::{WorkerContext, default_context};
use crate::default_limiter::current_default_worker_limiter;
use crate::lease::Lease;
use crate::limiter::{Acquire, Limiter, Permit};
use crate::limits::Limits;
use crate::scope;
use offproc_core::{BoxFuture, Error, Outcome};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
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
    // Boxed, so that calls without one stay small.
    limits: Option<Box<Limits>>,
    clocks: Option<Clocks>,
    // Not an option: how often a worker has not taken the job.
    refusals: u32,
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
    /// What the job has started itself, other processes, is killed with it only where the context has
    /// [`kill_tree`](crate::WorkerContextBuilder::kill_tree).
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
    /// This and all other limits hold for a job that is abandoned, too, its call dropped without
    /// [`kill_on_cancel`](Self::kill_on_cancel). They are noticed when the call is polled, as any timer is. What a call
    /// does not set is as its context [has it](crate::WorkerContextBuilder::time_limit); [`Duration::MAX`] (for memory,
    /// [`u64::MAX`]) is no limit.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limits().time = Some(limit);
        self
    }

    /// How much CPU time the job may use, all threads of its worker together; as much as it likes by default.
    ///
    /// Past it, the worker is killed and the call ends with
    /// [`Error::CpuTimeExceeded`](crate::Error::CpuTimeExceeded). It is measured from outside, so a job cannot evade
    /// it, and is a few milliseconds late at most where the caller gets to run. What other processes use that the job
    /// has started does not count.
    pub fn cpu_limit(mut self, limit: Duration) -> Self {
        self.limits().cpu = Some(limit);
        self
    }

    /// How much memory the job's worker may have, in bytes; as much as it gets by default.
    ///
    /// Resident memory counts, all that the process has: what the program itself needs, what earlier jobs have left,
    /// and what it [shares](crate::WorkerContextBuilder::preload) with others. A few MiB are there from the start. Past
    /// it, the worker is killed and the call ends with [`Error::MemoryExceeded`](crate::Error::MemoryExceeded).
    ///
    /// It is looked at every few milliseconds, so a job can have more for that long, as it can when the caller does not
    /// get to run. For a wall that is never passed, where allocations fail instead, see
    /// [`Resource::AddressSpace`](crate::Resource::AddressSpace).
    ///
    /// # Platform-specific behaviour
    ///
    /// Needs `/proc`; without it, the call ends with [`Error::Spawn`](crate::Error::Spawn).
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.limits().memory = Some(bytes);
        self
    }

    /// After how long the job is told to come to its end: from then on
    /// [`should_stop`](https://docs.rs/offproc/latest/offproc/fn.should_stop.html) is true in it. By default it is
    /// not told.
    ///
    /// Counted as the [time limit](Self::time_limit), but in the worker. It kills nothing; what the job returns is the
    /// result of the call.
    pub fn soft_time_limit(mut self, limit: Duration) -> Self {
        self.limits().soft_time = Some(limit);
        self
    }

    /// The same, after this much CPU time, all threads of the worker together.
    pub fn soft_cpu_limit(mut self, limit: Duration) -> Self {
        self.limits().soft_cpu = Some(limit);
        self
    }

    /// The same, once the worker has this much resident memory, in bytes.
    pub fn soft_memory_limit(mut self, bytes: u64) -> Self {
        self.limits().soft_memory = Some(bytes);
        self
    }

    fn limits(&mut self) -> &mut Limits {
        self.options.limits.get_or_insert_default()
    }

    /// Has the call measured: how long it waited, how long its worker took to start, and how long the job ran.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::run_sync;
    ///
    /// let (result, times) = run_sync(|x: u32| x + 1, 1).timed().await;
    /// assert_eq!(result?, 2);
    /// println!("{:?} queued, {:?} starting, {:?} running", times.queued, times.starting, times.running);
    /// # Ok::<(), offproc::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn timed(mut self) -> TimedCall<A, R> {
        let clocks = Clocks::default();
        self.options.clocks = Some(clocks.clone());
        TimedCall { call: Call { state: CallState::New(self) }, clocks }
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
    /// Waiting for a token.
    Waiting(RunSync<A, R>, Acquire),
    /// Waiting for a worker.
    Queued(RunSync<A, R>, BoxFuture<Result<Lease, Error>>),
    /// The worker has the job. The argument is kept for another worker, should this one turn out to have left.
    Running(RunSync<A, R>, Lease),
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
                CallState::Waiting(call, mut token) => match Pin::new(&mut token).poll(cx) {
                    Poll::Pending => {
                        self.state = CallState::Waiting(call, token);
                        turns::next();
                        return Poll::Pending;
                    }
                    Poll::Ready(permit) => self.state = call.check_out(permit)?,
                },
                CallState::Queued(call, mut queued) => match queued.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = CallState::Queued(call, queued);
                        turns::next();
                        return Poll::Pending;
                    }
                    Poll::Ready(lease) => self.state = call.post(lease?)?,
                },
                CallState::Running(call, mut lease) => match lease.poll_outcome(cx) {
                    Poll::Ready(Outcome::Answered(answer)) => {
                        lease.give_back();
                        // Before the result is there, which can then have the argument's memory: fresh memory costs
                        // more than copying it.
                        drop(call);
                        return Poll::Ready(answer.open());
                    }
                    Poll::Ready(Outcome::Broken(error)) => {
                        drop(lease.discard());
                        return Poll::Ready(Err(error.into()));
                    }
                    // It left, or was gone, before it had the job: that is nobody's error. The job runs elsewhere.
                    Poll::Ready(Outcome::NotTaken(unclean)) => {
                        lease.shared().note(unclean);
                        self.state = call.requeue(lease)?;
                    }
                    Poll::Pending => {
                        if let Poll::Ready(error) = lease.poll_overrun(cx) {
                            lease.kill();
                            return Poll::Ready(Err(error));
                        }
                        self.state = CallState::Running(call, lease);
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
    fn begin(mut self) -> Result<CallState<A, R>, Error> {
        self.context = self.context.or_else(scope::innermost);
        let limiter = self.options.limiter.clone().unwrap_or_else(current_default_worker_limiter);
        match limiter.try_acquire() {
            Some(permit) => self.check_out(permit),
            None => Ok(CallState::Waiting(self, limiter.acquire())),
        }
    }

    fn check_out(self, permit: Permit) -> Result<CallState<A, R>, Error> {
        let context = self.context();
        match context.shared().check_out_now(permit)? {
            Ok(lease) => self.post(lease),
            Err(permit) => Ok(self.queue(context, permit)),
        }
    }

    /// Where it runs, or else the default context as it is now: it may be replaced while a call waits for a token.
    fn context(&self) -> WorkerContext {
        self.context.clone().unwrap_or_else(default_context)
    }

    /// Keeps the context from being closed until there is a worker: a default context has nobody else, once replaced.
    fn queue(self, context: WorkerContext, permit: Permit) -> CallState<A, R> {
        let clocks = self.options.clocks.clone();
        let wants_new = self.options.refusals > MOST_REFUSALS / 2;
        CallState::Queued(
            self,
            Box::pin(async move {
                let shared = context.shared();
                if wants_new {
                    shared.check_out_new(permit, clocks.as_ref()).await
                } else {
                    shared.check_out(permit, clocks.as_ref()).await
                }
            }),
        )
    }

    fn requeue(mut self, mut lease: Lease) -> Result<CallState<A, R>, Error> {
        self.options.refusals += 1;
        if self.options.refusals > MOST_REFUSALS {
            let error = lease.worker().convict("time and again, the job was said not to have been taken".to_owned());
            drop(lease.discard());
            return Err(error.into());
        }
        let permit = lease.let_go();
        if let Some(clocks) = &self.options.clocks {
            clocks.has_not_run();
        }
        let context = self.context();
        Ok(self.queue(context, permit))
    }

    fn post(self, mut lease: Lease) -> Result<CallState<A, R>, Error> {
        if let Some(clocks) = &self.options.clocks {
            clocks.enter(Station::Running);
        }
        let Options { limits, kill_on_cancel, .. } = &self.options;
        lease.post(self.function, &self.argument, self.caller, limits.as_deref(), *kill_on_cancel)?;
        Ok(CallState::Running(self, lease))
    }
}

/// The future of a call that is measured; see [`RunSync::timed`].
///
/// # Panics
///
/// When polled after it has resolved.
///
/// # Cancel safety
///
/// As [`run_sync`].
#[derive(Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct TimedCall<A, R> {
    call: Call<A, R>,
    clocks: Clocks,
}

impl<A, R> Future for TimedCall<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    type Output = (Result<R, Error>, CallTimes);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if matches!(self.call.state, CallState::New(_)) {
            self.clocks.enter(Station::Queued);
        }
        Pin::new(&mut self.call).poll(cx).map(|result| (result, self.clocks.stop()))
    }
}

/// How often a job may not be taken, by workers that had left, before that is held against it: a job can make its worker
/// say so, again and again. From half of that on, it gets new workers, which leave for no other reason.
const MOST_REFUSALS: u32 = 6;

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
            CallState::Waiting(..) => "waiting",
            CallState::Queued(..) => "queued",
            CallState::Running(..) => "running",
            CallState::Over => "over",
        };
        f.debug_struct("Call").field("function", &std::any::type_name::<fn(A) -> R>()).field("state", &state).finish()
    }
}
