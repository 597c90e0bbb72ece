//! Where the items of a map come from.

use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What [`map`](crate::map()) takes its items from: every `IntoIterator`, and every `Stream`.
///
/// There is nothing to implement, and the compiler finds `Kind`, which says which of the two it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an `IntoIterator` nor a `Stream`, so it has no items for a map",
    label = "not an `IntoIterator`, nor a `Stream`"
)]
pub trait IntoItems<Kind> {
    /// An item: the argument of the function.
    type Item;
    /// The items as a stream.
    type Stream: Stream<Item = Self::Item>;

    /// Begins to take items.
    fn into_items(self) -> Self::Stream;
}

/// Marks what is an `IntoIterator`.
#[derive(Debug)]
pub enum FromIterator {}

/// Marks what is a `Stream`.
#[derive(Debug)]
pub enum FromStream {}

impl<I: IntoIterator> IntoItems<FromIterator> for I {
    type Item = I::Item;
    type Stream = Items<I::IntoIter>;

    fn into_items(self) -> Items<I::IntoIter> {
        Items(self.into_iter())
    }
}

impl<S: Stream> IntoItems<FromStream> for S {
    type Item = S::Item;
    type Stream = S;

    fn into_items(self) -> S {
        self
    }
}

/// The items of an iterator, as a stream that is always ready.
pub struct Items<I>(I);

// The iterator is never pinned itself.
impl<I> Unpin for Items<I> {}

impl<I: Iterator> Stream for Items<I> {
    type Item = I::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<I> fmt::Debug for Items<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}
