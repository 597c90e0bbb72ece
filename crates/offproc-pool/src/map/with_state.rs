//! `map_with`: a map whose function uses the state of its worker.

use super::items::IntoItems;
use super::stream::Map;
use crate::context::WorkerContext;
use offproc_core::{ItemFunction, Transfer};

/// Runs `f(state, item)` for each item, in cached worker processes of the current context, with the state of that
/// worker: what [`run_with`](crate::run_with()) is for one call, for many.
///
/// [`init_with`](crate::WorkerContextBuilder::init_with) says how each worker makes its state. All else is as for
/// [`map`](crate::map()): items, chunks, order, errors.
///
/// **An item that panics costs the state**, as a job of `run_with` does. It is one `Err`, and the last item of its
/// chunk: those behind it, which have not begun, run with a state of another worker, or with the one that this worker
/// makes anew for them. Each runs at most once.
///
/// # Errors
///
/// As [`map`](crate::map()). Where the context has no state, or one of another type than `S`, each item is an
/// [`Error::State`](crate::Error::State), and nothing is started. Where a worker cannot make its state, that is the
/// `Err` of one item, and the next one tries again.
///
/// # Panics
///
/// As [`map`](crate::map()).
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use futures_lite::StreamExt;
/// use offproc::{WorkerContext, cache_scope, map_with};
///
/// struct Model(Vec<f64>);
///
/// fn evaluate(model: &mut Model, x: f64) -> f64 {
///     model.0.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
/// }
///
/// let builder = WorkerContext::builder().init_with(vec![1.0, 0.0, 2.0], Model);
/// let values = cache_scope(builder, async {
///     map_with(evaluate, [0.0, 1.0, 2.0]).try_collect::<f64, offproc::Error, Vec<f64>>().await
/// });
/// assert_eq!(values.await??, [1.0, 3.0, 9.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn map_with<S, I, K, R>(f: fn(&mut S, I::Item) -> R, items: I) -> Map<I::Stream, R>
where
    S: 'static,
    I: IntoItems<K>,
    I::Item: Transfer,
    R: Transfer,
{
    Map::new(ItemFunction::with_state(f), items.into_items(), None)
}

impl WorkerContext {
    /// [`map_with`](crate::map_with()) on this context's workers.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::WorkerContext;
    /// use std::collections::HashMap;
    ///
    /// let context = WorkerContext::builder().init_with((), |()| HashMap::<u32, u64>::new()).open()?;
    /// let cached = |squares: &mut HashMap<u32, u64>, n: u32| *squares.entry(n).or_insert_with(|| u64::from(n).pow(2));
    /// let squares = context.map_with(cached, [1, 2, 3, 2, 1]).wait().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(squares, [1, 4, 9, 4, 1]);
    /// # context.close().wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn map_with<S, I, K, R>(&self, f: fn(&mut S, I::Item) -> R, items: I) -> Map<I::Stream, R>
    where
        S: 'static,
        I: IntoItems<K>,
        I::Item: Transfer,
        R: Transfer,
    {
        Map::new(ItemFunction::with_state(f), items.into_items(), Some(self.clone()))
    }
}
