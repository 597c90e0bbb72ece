//! `map`, and the stream of its results.

use super::items::IntoItems;
use super::pipeline::Pipeline;
use super::sizing::Chunks;
use super::task::Task;
use crate::context::WorkerContext;
use futures_core::{FusedStream, Stream};
use offproc_core::{Error, ItemFunction, Transfer};
use pin_project_lite::pin_project;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The results of a function over many items, as a stream: see [`map`].
    ///
    /// It is `Unpin`, and `Send`, if its source is. For code that is not async, [`wait`](Self::wait) makes it an
    /// iterator.
    ///
    /// # Cancel safety
    ///
    /// Taking the next result (`.next()` of `StreamExt`) is cancel safe: no result is lost. Dropping the map takes back
    /// the items that have not begun, also those of chunks that run. To an item that runs happens what happens to the
    /// [jobs of dropped calls](crate::RunSync::kill_on_cancel), as the context's settings say: it runs to its end, is
    /// asked to stop, or is killed.
    #[must_use = "a map does nothing until its results are taken"]
    pub struct Map<S, R>
    where
        S: Stream,
    {
        #[pin]
        pub(super) source: S,
        pub(super) function: ItemFunction<S::Item, R>,
        pub(super) caller: &'static Location<'static>,
        pub(super) pipeline: Pipeline<S::Item, R>,
    }
}

/// Runs `f` for each item, in cached worker processes of the current context: many items in one job, and as many jobs
/// at once as there are tokens.
///
/// `items` are any `IntoIterator` or `Stream`; they may be endless. `f` is as for [`run_sync`](crate::run_sync()): a
/// plain function, or a closure that captures nothing. The result is a stream of `Result<R, Error>`, one for each item,
/// in their order. The map takes items from their source, and runs them, only while its results are taken, and only
/// some [ahead](Map::ahead). Items travel in chunks, of a [size](Map::chunk_size) that is measured: about a millisecond
/// of work.
///
/// The current context is that of the innermost [`cache_scope`](crate::cache_scope) around the first poll, or else the
/// default one.
///
/// # Errors
///
/// What becomes of an item is its own: one that panics, or whose argument or result cannot travel, is one `Err` of the
/// stream, and so is one that kills its worker. Each item runs at most once. The results of those before it in its
/// chunk are kept, and those behind it, which have not begun, run in another worker.
///
/// A chunk is one job: for the [limits](crate::WorkerContextBuilder::time_limit), which are those of the context; for
/// [`retire`](crate::WorkerContextBuilder::retire); and for [`Statistics`](crate::Statistics). A limit that passes is
/// the
/// `Err` of the item that ran. Chunks wait for tokens as calls do, and do not count for
/// [`max_queue`](crate::WorkerContextBuilder::max_queue). Where a worker could not be started, that is the `Err` of one
/// item, and the next one tries again; items of a context that is closed are `Err(Error::Closed)`.
///
/// # Panics
///
/// A panic of the source ends the source: later polls still return the results of what was taken from it. So does one
/// in the `Serialize` of an item, which then is an `Err` like one that cannot be serialised.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use futures_lite::StreamExt;
/// use offproc::map;
///
/// fn is_prime(n: u32) -> bool {
///     n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d > 0)
/// }
///
/// let mut count = 0;
/// let mut primes = map(is_prime, 0..10_000);
/// while let Some(is_prime) = primes.next().await {
///     count += u32::from(is_prime?);
/// }
/// assert_eq!(count, 1229);
/// # Ok::<(), offproc::Error>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn map<I, K, R>(f: fn(I::Item) -> R, items: I) -> Map<I::Stream, R>
where
    I: IntoItems<K>,
    I::Item: Transfer,
    R: Transfer,
{
    Map::new(ItemFunction::plain(f), items.into_items(), None)
}

impl WorkerContext {
    /// [`map`](crate::map()) on this context's workers.
    #[track_caller]
    pub fn map<I, K, R>(&self, f: fn(I::Item) -> R, items: I) -> Map<I::Stream, R>
    where
        I: IntoItems<K>,
        I::Item: Transfer,
        R: Transfer,
    {
        Map::new(ItemFunction::plain(f), items.into_items(), Some(self.clone()))
    }
}

impl<S, R> Map<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
    #[track_caller]
    pub(super) fn new(function: ItemFunction<S::Item, R>, source: S, context: Option<WorkerContext>) -> Self {
        let caller = Location::caller();
        Self { source, function, caller, pipeline: Pipeline::new(Task::map(function, caller), context) }
    }

    /// How many items make a job.
    ///
    /// **Default:** [`Chunks::Auto`]. With [`Chunks::Of`], a chunk has exactly so many items, fewer only where the
    /// source ends or has none yet, where [`ahead`](Self::ahead) or the context's
    /// [`max_message_size`](crate::WorkerContextBuilder::max_message_size) allows no more, behind an item whose result
    /// has an [`Fd`](https://docs.rs/offproc/latest/offproc/struct.Fd.html) or a new `SharedBytes`, and after the death
    /// of a worker.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::{Chunks, map};
    ///
    /// // Each item is a job: its own limits, and a retirement after each.
    /// let sizes = map(|text: String| text.len(), ["one".to_owned(), "three".to_owned()]).chunk_size(Chunks::Of(1));
    /// assert_eq!(sizes.wait().collect::<Result<Vec<_>, _>>()?, [3, 5]);
    /// # Ok::<(), offproc::Error>(())
    /// ```
    pub fn chunk_size(mut self, chunks: Chunks) -> Self {
        self.pipeline.set_chunks(chunks);
        self
    }

    /// How many items may have been taken from the source whose results were not taken from the map.
    ///
    /// **Default:** about two chunks for each token of the limiter. It bounds the memory, and how far a map whose
    /// results are taken slowly goes ahead. Chunks become smaller where it is small; 0 counts as 1.
    pub fn ahead(mut self, items: usize) -> Self {
        self.pipeline.set_ahead(items);
        self
    }

    /// Each result as soon as it is there, not in the order of the items: a long item holds up no other.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::map;
    ///
    /// // Return what identifies the item along with the result.
    /// let squares = map(|n: u64| (n, n * n), 0..100).unordered();
    /// let mut squares = squares.wait().collect::<Result<Vec<_>, _>>()?;
    /// squares.sort();
    /// assert_eq!(squares[9], (9, 81));
    /// # Ok::<(), offproc::Error>(())
    /// ```
    pub fn unordered(mut self) -> Self {
        self.pipeline.set_unordered();
        self
    }
}

impl<S, R> Map<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
    #[inline]
    pub(super) fn take_ready(self: Pin<&mut Self>) -> Option<Result<R, Error>> {
        self.project().pipeline.take_ready()
    }
}

impl<S, R> Stream for Map<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
    type Item = Result<R, Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        this.pipeline.poll_next(this.source, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let taken = self.pipeline.outstanding();
        if self.pipeline.has_ended() {
            return (taken, Some(taken));
        }
        let (least, most) = self.source.size_hint();
        (least.saturating_add(taken), most.and_then(|most| most.checked_add(taken)))
    }
}

impl<S, R> FusedStream for Map<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
    fn is_terminated(&self) -> bool {
        self.pipeline.is_over()
    }
}

impl<S: Stream, R> fmt::Debug for Map<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("function", &self.function)
            .field("outstanding", &self.pipeline.outstanding())
            .finish_non_exhaustive()
    }
}
