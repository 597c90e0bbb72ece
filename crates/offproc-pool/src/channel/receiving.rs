use super::RecvError;
use crate::runtime::CURRENT;
use futures_core::FusedFuture;
use offproc_core::{
    DecodeError, ItemReceived, ItemReceiver, SmallItem, Transfer, decode_item, give_buffer, take_buffer,
};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`Receiver::recv`](crate::Receiver::recv).
#[must_use = "nothing is received until it is awaited, or its `wait` is called"]
pub struct Receiving<'a, T> {
    items: &'a mut ItemReceiver,
    is_over: bool,
    of: PhantomData<fn() -> T>,
}

impl<'a, T: Transfer> Receiving<'a, T> {
    pub(super) fn new(items: &'a mut ItemReceiver) -> Self {
        Self { items, is_over: false, of: PhantomData }
    }

    /// Blocks the calling thread until there is an item, whatever runtime it belongs to; also in a job.
    ///
    /// # Errors
    ///
    /// [`RecvError`].
    pub fn wait(self) -> Result<T, RecvError> {
        receive_blocking(self.items)
    }
}

/// What `recv` returns, with the buffer that has the item.
#[inline]
fn result<T: Transfer>(received: ItemReceived, bytes: Vec<u8>) -> Result<T, RecvError> {
    let item: Result<T, DecodeError> = match received {
        ItemReceived::Item => decode_item(&bytes),
        ItemReceived::Broken(error) => Err(error),
        ItemReceived::Closed => return Err(RecvError::Closed),
    };
    give_buffer(bytes);
    item.map_err(RecvError::Decode)
}

/// The next item; blocks until it is there.
#[inline]
pub(super) fn receive_blocking<T: Transfer>(items: &mut ItemReceiver) -> Result<T, RecvError> {
    if let Some(item) = SmallItem::receive(items) {
        return item.map_err(RecvError::Decode);
    }
    let mut bytes = take_buffer();
    let received = items.receive_blocking(&mut bytes);
    result(received, bytes)
}

/// The next item of an end.
pub(super) fn poll_receive<T: Transfer>(items: &mut ItemReceiver, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
    if let Some(item) = SmallItem::receive(items) {
        return Poll::Ready(item.map_err(RecvError::Decode));
    }
    let mut bytes = take_buffer();
    match items.poll_receive(&mut bytes, cx, &CURRENT) {
        Poll::Ready(received) => Poll::Ready(result(received, bytes)),
        Poll::Pending => {
            give_buffer(bytes);
            Poll::Pending
        }
    }
}

impl<T: Transfer> Future for Receiving<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.is_over, "a `recv` was polled after it had resolved");
        let polled = poll_receive(self.items, cx);
        self.is_over = polled.is_ready();
        polled
    }
}

impl<T: Transfer> FusedFuture for Receiving<'_, T> {
    fn is_terminated(&self) -> bool {
        self.is_over
    }
}

impl<T> Drop for Receiving<'_, T> {
    fn drop(&mut self) {
        self.items.rest();
    }
}

impl<T> fmt::Debug for Receiving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving").finish_non_exhaustive()
    }
}
