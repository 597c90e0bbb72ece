//! A receiver as a `Stream`.

use super::Receiver;
use super::receiving::poll_receive;
use futures_core::{FusedStream, Stream};
use offproc_core::Transfer;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<T: Transfer> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(poll_receive(&mut self.items, cx)) {
            Ok(item) => Some(item),
            Err(error) => {
                self.end = Some(error);
                None
            }
        })
    }
}

impl<T: Transfer> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.end.is_some()
    }
}
