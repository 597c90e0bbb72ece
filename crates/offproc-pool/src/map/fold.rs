//! A map whose results are folded in the workers.

use super::pipeline::{Folding, Pipeline};
use super::stream::Map;
use super::task::Task;
use futures_core::{FusedFuture, Stream};
use offproc_core::{Error, Transfer, wait};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// After so many outcomes in a poll, other tasks run.
const COOP: usize = 64;

/// What the results of a map were folded to: see [`Map::fold_in_workers`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Folded<B> {
    /// The results of all items that have one.
    pub value: B,
    /// Why items have none, in the order of the items, unless the map is [unordered](Map::unordered).
    pub errors: Vec<Error>,
    /// How many items had run, and had been folded to a value that was then lost: with its worker, which died or was
    /// killed while it ran another item of the chunk, in a panic of the fold, or as it could not travel. The reason is
    /// among the errors.
    pub lost: usize,
}

impl<B> Folded<B> {
    /// The value, if no item has failed.
    ///
    /// # Errors
    ///
    /// The first of the errors.
    pub fn all(self) -> Result<B, Error> {
        self.errors.into_iter().next().map_or(Ok(self.value), Err)
    }
}

pin_project! {
    /// The future of [`Map::fold_in_workers`].
    ///
    /// # Panics
    ///
    /// When polled after it has resolved.
    #[must_use = "a fold does nothing until it is awaited"]
    pub struct Fold<S, B>
    where
        S: Stream,
    {
        #[pin]
        source: S,
        pipeline: Pipeline<S::Item, B>,
        init: fn() -> B,
        combine: fn(B, B) -> B,
        folded: Option<Folded<Option<B>>>,
    }
}

impl<S, R> Map<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
    /// Folds the results in the workers: what travels back is one value for each chunk, not one for each item.
    ///
    /// A worker begins each chunk with `init()`, and adds the result of each item by `fold`. The caller combines the
    /// values of the chunks by `combine`, in the order of the items unless the map is [unordered](Self::unordered). How
    /// items are divided into chunks is not defined, so `combine` has to be associative, and `init()` neutral. Without
    /// any result, the value is `init()`.
    ///
    /// As for the map itself, what becomes of an item is its own error, its neighbours are folded, and each runs at
    /// most once. But **the value of a chunk is in its worker until the chunk ends**. If an item kills its worker or
    /// passes a limit, the items before it in its chunk have run, and what they were folded to is gone: they are
    /// counted as
    /// [`lost`](Folded::lost), and do not run again. The items behind it run in another worker. A panic of the function
    /// costs its item alone; one of `fold` costs what was folded in that chunk before. With [`Chunks::Of(1)`], nothing
    /// can be lost.
    ///
    /// [`Chunks::Of(1)`]: crate::Chunks::Of
    ///
    /// # Panics
    ///
    /// When the map has been polled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is dropping the map; what was folded is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::map;
    ///
    /// let numbers = 1..=1000_u64;
    /// let sum = map(|n: u64| n * n, numbers).fold_in_workers(|| 0, |sum, n| sum + n, |a, b| a + b);
    /// assert_eq!(sum.wait().all()?, 333_833_500);
    /// # Ok::<(), offproc::Error>(())
    /// ```
    pub fn fold_in_workers<B>(self, init: fn() -> B, fold: fn(B, R) -> B, combine: fn(B, B) -> B) -> Fold<S, B>
    where
        B: Transfer,
    {
        let Self { source, function, caller, pipeline } = self;
        let pipeline = pipeline.into_fold(Task::fold(function, init, fold, caller));
        let folded = Some(Folded { value: None, errors: Vec::new(), lost: 0 });
        Fold { source, pipeline, init, combine, folded }
    }
}

impl<S, B> Fold<S, B>
where
    S: Stream,
    S::Item: Transfer,
    B: Transfer,
{
    /// Blocks the calling thread until all is folded, as [`Map::wait`] does.
    pub fn wait(self) -> Folded<B> {
        wait(self)
    }
}

impl<S, B> Future for Fold<S, B>
where
    S: Stream,
    S::Item: Transfer,
    B: Transfer,
{
    type Output = Folded<B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Folded<B>> {
        let mut this = self.project();
        let folded = this.folded.as_mut().expect("a fold was polled after it had resolved");
        for _ in 0..COOP {
            let Some(Folding { folded: items, result }) = ready!(this.pipeline.poll_folded(this.source.as_mut(), cx))
            else {
                let Folded { value, errors, lost } = this.folded.take().expect("it is there");
                return Poll::Ready(Folded { value: value.unwrap_or_else(this.init), errors, lost });
            };
            match result {
                Some(Ok(value)) => {
                    folded.value = Some(match folded.value.take() {
                        None => value,
                        Some(before) => (this.combine)(before, value),
                    });
                }
                Some(Err(error)) => {
                    folded.errors.push(error);
                    folded.lost += items;
                }
                None => folded.lost += items,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, B> FusedFuture for Fold<S, B>
where
    S: Stream,
    S::Item: Transfer,
    B: Transfer,
{
    fn is_terminated(&self) -> bool {
        self.folded.is_none()
    }
}

impl<S: Stream, B> fmt::Debug for Fold<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold").field("outstanding", &self.pipeline.outstanding()).finish_non_exhaustive()
    }
}
