//! `run_sync`, and the settings of a call.

use super::request::{Options, Request, State};
use super::retries::Retries;
use super::target::Target;
use crate::context::WorkerContext;
use crate::limiter::Limiter;
use crate::limits::Deadline;
use crate::observe::CallRecord;
use offproc_core::{EncodedArgument, Transfer};
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::time::Duration;

/// A call of a function in a worker process: a future of its result. Set what it needs, then `.await` it.
///
/// Nothing starts before the first poll, and settings have to be made before it.
///
/// # Panics
///
/// When it is polled after it has resolved, and when a setting is made after the first poll.
///
/// # Cancel safety
///
/// As [`run_sync`].
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
    pub(super) state: State<A, R>,
    // `None`: the context of the scope around its first poll, or else the default one.
    pub(super) context: Option<WorkerContext>,
    // It is counted among the calls of its context that are over.
    pub(super) is_counted: bool,
    // Dropped by `cancel`; a call that is over has none.
    pub(super) record: ManuallyDrop<CallRecord>,
    // Boxed, so that calls without one stay small.
    pub(super) deadline: Option<Box<Deadline>>,
}

/// The former name of the type of a call.
pub type Call<A, R> = RunSync<A, R>;

/// Runs `f(arg)` in a cached worker process of the current context.
///
/// The current context is that of the innermost [`cache_scope`](crate::cache_scope) around the first poll, or else the
/// default one. `f` is a plain function, or a closure that captures nothing; several arguments travel as a tuple. A
/// closure that never returns needs its return type written out: `|()| -> () { loop {} }`.
///
/// Argument and result are `Serialize + DeserializeOwned` (see [`Transfer`]). References are not: of `&str` and `&[u8]`
/// the compiler says "implementation of `Deserialize` is not general enough"; send a `String` or a `Vec<u8>`. Errors
/// that are not, such as `std::io::Error` and `anyhow::Error`, are returned as [`JobError`](crate::JobError).
///
/// The argument is serialised, and the result deserialised, in the polls of the call. For large bytes, use
/// [`SharedBytes`](offproc_core::SharedBytes) or `serde_bytes`: a `Vec<u8>` is slow.
///
/// # Errors
///
/// Each is a variant of [`Error`](crate::Error): the function panicked, its worker died, a value does not travel, a
/// limit was passed, a worker could not be started, or the context is closed.
///
/// # Cancel safety
///
/// Dropping the future before it has a worker cancels the call: it never runs. After that, the job is killed with its
/// worker if [`kill_on_cancel`](RunSync::kill_on_cancel) is set, and otherwise runs to its end, and its result is
/// dropped.
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
#[inline]
#[track_caller]
pub fn run_sync<A, R>(f: fn(A) -> R, arg: A) -> RunSync<A, R>
where
    A: Transfer,
    R: Transfer,
{
    // First, as it may run a subscriber: what is made before would be moved once more.
    let record = ManuallyDrop::new(CallRecord::made());
    let state = State::New(Request::new(Target::Plain(f, Location::caller()), arg));
    RunSync { state, context: None, is_counted: false, deadline: None, record }
}

impl WorkerContext {
    /// [`run_sync`](crate::run_sync()) on this context's workers.
    #[track_caller]
    pub fn run_sync<A, R>(&self, f: fn(A) -> R, arg: A) -> RunSync<A, R>
    where
        A: Transfer,
        R: Transfer,
    {
        run_sync(f, arg).on(self)
    }
}

impl<A, R> RunSync<A, R> {
    pub(super) fn new(state: State<A, R>) -> Self {
        let record = ManuallyDrop::new(CallRecord::made());
        Self { state, context: None, is_counted: false, deadline: None, record }
    }

    pub(crate) fn on(mut self, context: &WorkerContext) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// The request, which a setting changes.
    #[track_caller]
    pub(super) fn request(&mut self) -> &mut Request<A, R> {
        match &mut self.state {
            State::New(request) if !request.options.is_polled => request,
            _ => panic!("a call has been polled already: set its options before its first poll"),
        }
    }

    #[track_caller]
    pub(super) fn options(&mut self) -> &mut Options {
        &mut self.request().options
    }

    /// Whether dropping the future kills the job.
    ///
    /// **Default:** the context's [setting](crate::WorkerContextBuilder::kill_on_cancel), which is `false` by default.
    ///
    /// With `true`, `drop` sends SIGKILL to the worker (`TerminateProcess` on Windows) before it returns, and offproc
    /// reaps the worker in the background. With `false`, the job runs to its end, its result is thrown away, its
    /// limiter token stays taken until then, and the worker goes back to the cache.
    ///
    /// **A dropped call that does not kill keeps its token.** An endless job, abandoned by a timeout around the call,
    /// holds it for ever; once such jobs hold all tokens of a limiter, every call that needs one waits, without an
    /// error. So set this, or a [`time_limit`](Self::time_limit), wherever a call may be dropped and its job may hang.
    /// offproc warns on stderr, once, when that has lasted for a second; [`Statistics`](crate::Statistics) has the
    /// numbers of abandoned jobs and of waiting calls.
    ///
    /// Processes that the job has started are killed with it only if the context has
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
    #[track_caller]
    pub fn kill_on_cancel(mut self, kill: bool) -> Self {
        self.options().kill_on_cancel = Some(kill);
        self
    }

    /// How long a job has to stop by itself when its call is dropped with
    /// [`kill_on_cancel(true)`](Self::kill_on_cancel): dropping the call makes
    /// [`should_stop`](offproc_core::should_stop) true in the job, and kills it only after this time.
    ///
    /// **Default:** as its context [has it](crate::WorkerContextBuilder::cancel_grace), which is zero if nothing was
    /// set there: the job is killed at once. Without `kill_on_cancel` it has no effect.
    ///
    /// Until the job has ended it holds its token, and counts as an
    /// [abandoned job](crate::Statistics::abandoned_jobs). The worker ends with it, also where it has stopped in time.
    /// Limits and deadlines hold meanwhile; they kill without a grace, as do [`kill`](crate::WorkerContext::kill) and
    /// the end of the program. In a context that is closed, the shorter of this and the
    /// [grace period](crate::WorkerContextBuilder::grace_period) holds.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{run_sync, should_stop};
    /// use std::time::Duration;
    ///
    /// fn export(path: String) {
    ///     while !should_stop() { /* writes the next part */ }
    ///     let _ = std::fs::remove_file(path); // leaves nothing half-written behind
    /// }
    ///
    /// let call = run_sync(export, "/tmp/part".to_owned()).kill_on_cancel(true).cancel_grace(Duration::from_secs(2));
    /// drop(call);
    /// # });
    /// ```
    #[track_caller]
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.options().limits.get_or_insert_default().cancel_grace = Some(grace);
        self
    }

    /// Takes the token for this call from `limiter`, not from its context's
    /// [limiter](crate::WorkerContextBuilder::limiter) or the default one.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{Limiter, run_sync};
    ///
    /// let disk = Limiter::new(2);
    /// assert_eq!(run_sync(|path: String| path.len(), "a file".to_owned()).limiter(&disk).await?, 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn limiter(mut self, limiter: &Limiter) -> Self {
        self.options().limiter = Some(limiter.clone());
        self
    }
}

impl<A, R> RunSync<A, R> {
    /// Runs the job again, up to `n` times, if its worker dies.
    ///
    /// **Default:** 0, the job never runs again. Each run has another worker. Only a crash
    /// ([`Error::is_crash`](crate::Error::is_crash)) leads to another run: the worker died, and offproc did not kill
    /// it. After a panic, a limit that was passed or a worker that could not be started, the call returns that error.
    /// If each run crashes, the call returns the error of the last one.
    ///
    /// **A job that crashes has run**, in part or in whole: only you know whether it may do so again. An argument that
    /// crashes each worker costs a worker each time.
    ///
    /// The argument need not be `Clone`: the call serialises it once, and keeps its bytes. It keeps an argument with an
    /// [`Fd`](https://docs.rs/offproc/latest/offproc/struct.Fd.html) or a [`SharedBytes`](offproc_core::SharedBytes) in
    /// it as a value, and serialises it for each worker: the next job finds an open file as the last one left it, such
    /// as its position. If the argument cannot be serialised again, the call returns the crash.
    ///
    /// The call keeps its token between the runs. [Limits](Self::time_limit) count from the start of each run. A job
    /// that is abandoned does not run again, nor does any in a context that has been closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::run_sync;
    ///
    /// fn decode(bytes: Vec<u8>) -> usize {
    ///     bytes.len() // by a library that is known to crash now and then
    /// }
    ///
    /// assert_eq!(run_sync(decode, vec![1, 2, 3]).retry_crashes(2).wait()?, 3);
    /// # Ok::<(), offproc::Error>(())
    /// ```
    #[track_caller]
    pub fn retry_crashes(mut self, n: u32) -> Self {
        let retries = (n > 0).then(|| Retries { left: n, argument: EncodedArgument::default(), crash: None });
        self.options().retries = retries.map(Box::new);
        self
    }
}

impl<A, R> fmt::Debug for RunSync<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RunSync");
        if let Some(request) = self.state.request() {
            out.field("function", &request.target.name().1);
        }
        out.field("state", &self.state.name());
        if let State::New(request) = &self.state {
            out.field("options", &request.options);
        }
        out.finish_non_exhaustive()
    }
}
