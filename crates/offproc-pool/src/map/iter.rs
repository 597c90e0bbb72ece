//! The results of a map for code that is not async.

use super::stream::Map;
use futures_core::Stream;
use offproc_core::{Error, Transfer, wait};
use std::fmt;
use std::future::poll_fn;
use std::iter::FusedIterator;
use std::pin::Pin;

/// The results of a map, as an iterator that blocks: see [`Map::wait`].
#[must_use = "a map does nothing until its results are taken"]
pub struct MapIter<S: Stream, R>(Pin<Box<Map<S, R>>>);

impl<S, R> Map<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
    /// The results as an iterator, which blocks the calling thread until the next one is there.
    ///
    /// As [`RunSync::wait`](crate::RunSync::wait), it works without a runtime, inside any, and in a job. But a source
    /// that is a `Stream` of a runtime needs that runtime to run on other threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::map;
    ///
    /// let total: u64 = map(|n: u64| n * n, 1..=10).wait().sum::<Result<u64, _>>()?;
    /// assert_eq!(total, 385);
    /// # Ok::<(), offproc::Error>(())
    /// ```
    pub fn wait(self) -> MapIter<S, R> {
        MapIter(Box::pin(self))
    }
}

impl<S, R> Iterator for MapIter<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
    type Item = Result<R, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let map = &mut self.0;
        map.as_mut().take_ready().map_or_else(|| wait(poll_fn(|cx| map.as_mut().poll_next(cx))), Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<S, R> FusedIterator for MapIter<S, R>
where
    S: Stream,
    S::Item: Transfer,
    R: Transfer,
{
}

impl<S: Stream, R> fmt::Debug for MapIter<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
