//! `run_with`: calls of functions that use the state of their worker.

use super::request::{Request, State};
use super::run_sync::RunSync;
use super::target::Target;
use crate::context::WorkerContext;
use offproc_core::{JobFunction, Transfer};
use std::panic::Location;

/// Runs `f(state, arg)` in a cached worker process of the current context, with the state of that worker:
/// [`init_with`](crate::WorkerContextBuilder::init_with) says how each worker makes its own.
///
/// The current context is found as for [`run_sync`](crate::run_sync()), and everything else is as there, too: options,
/// limits, errors, cancelling. The state stays in its worker, and the worker's next job finds it as this one leaves it.
/// Which worker runs the job is not known beforehand, so use the state as a cache or a resource, not to remember what
/// earlier calls have done.
///
/// **A job that panics costs the state**, which may be half changed: the worker drops it, and makes it anew for the
/// next call of `run_with` that gets the worker. That call is at the station [`Starting`](crate::Station::Starting)
/// meanwhile, as if its worker was started: it does not count for a time limit.
///
/// # Errors
///
/// As [`run_sync`](crate::run_sync()), and [`Error::State`](crate::Error::State): the context has no state, or one of
/// another type than `S`. Nothing is started then.
///
/// # Cancel safety
///
/// As [`run_sync`](crate::run_sync()). A worker that makes its state for a call that is dropped is killed, as a worker
/// that is started for it.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::{WorkerContext, cache_scope, run_with};
/// use std::collections::HashMap;
///
/// fn price(prices: &mut HashMap<String, u32>, what: String) -> Option<u32> {
///     prices.get(&what).copied()
/// }
///
/// let list = "tea 4\ncoffee 5".to_owned();
/// let builder = WorkerContext::builder().init_with(list, |list| {
///     let line = |line: &str| line.split_once(' ').map(|(what, price)| (what.to_owned(), price.parse().unwrap()));
///     list.lines().filter_map(line).collect::<HashMap<String, u32>>()
/// });
/// let found = cache_scope(builder, async { run_with(price, "tea".to_owned()).await }).await??;
/// assert_eq!(found, Some(4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn run_with<S, A, R>(f: fn(&mut S, A) -> R, arg: A) -> RunSync<A, R>
where
    S: 'static,
    A: Transfer,
    R: Transfer,
{
    let target = Target::WithState(Box::new((JobFunction::with_state(f), Location::caller())));
    RunSync::new(State::New(Request::new(target, arg)))
}

impl WorkerContext {
    /// [`run_with`](crate::run_with()) on this context's workers.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::WorkerContext;
    ///
    /// let context = WorkerContext::builder().init_with(40, |start: u32| start).max_concurrency(1).open()?;
    /// let add = |sum: &mut u32, n: u32| {
    ///     *sum += n;
    ///     *sum
    /// };
    /// assert_eq!(context.run_with(add, 2).await?, 42);
    /// # context.close().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn run_with<S, A, R>(&self, f: fn(&mut S, A) -> R, arg: A) -> RunSync<A, R>
    where
        S: 'static,
        A: Transfer,
        R: Transfer,
    {
        run_with(f, arg).on(self)
    }
}
