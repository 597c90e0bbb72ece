use super::SendError;
use crate::runtime::CURRENT;
use futures_core::FusedFuture;
use offproc_core::{ItemSender, ItemSent, SendTicket, SmallItem, Transfer, encode_item, give_buffer};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The future of [`Sender::send`](crate::Sender::send).
#[must_use = "nothing is sent until it is awaited, or its `wait` is called"]
pub struct Sending<'a, T> {
    items: &'a ItemSender,
    state: State<T>,
    ticket: SendTicket,
}

enum State<T> {
    New(T),
    Encoded(Vec<u8>),
    Over,
}

impl<'a, T: Transfer> Sending<'a, T> {
    pub(super) fn new(items: &'a ItemSender, item: T) -> Self {
        Self { items, state: State::New(item), ticket: None }
    }

    /// Blocks the calling thread until the item is sent, whatever runtime it belongs to; also in a job. If it was
    /// polled, it keeps its place among those that wait.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn wait(mut self) -> Result<(), SendError> {
        if let Some(sent) = self.offer_small() {
            return SendError::result(sent);
        }
        let bytes = self.encoded()?;
        let sent = self.items.send_blocking(&bytes, &mut self.ticket);
        give_buffer(bytes);
        SendError::result(sent)
    }

    /// Sends a small item without a buffer, if there is room at once.
    #[inline]
    fn offer_small(&mut self) -> Option<ItemSent> {
        let State::New(item) = &self.state else { return None };
        match SmallItem::send(item, |bytes| self.items.offer(bytes))? {
            ItemSent::Full => None,
            sent => {
                self.state = State::Over;
                Some(sent)
            }
        }
    }

    /// The item as bytes; it is `Over` meanwhile.
    #[inline]
    fn encoded(&mut self) -> Result<Vec<u8>, SendError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::New(item) => encode_item(&item).map_err(SendError::Encode),
            State::Encoded(bytes) => Ok(bytes),
            State::Over => panic!("a `send` was polled after it had resolved"),
        }
    }
}

// No field is ever pinned itself.
impl<T> Unpin for Sending<'_, T> {}

impl<T: Transfer> Future for Sending<'_, T> {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(sent) = this.offer_small() {
            return Poll::Ready(SendError::result(sent));
        }
        let bytes = this.encoded()?;
        let polled = match this.ticket {
            None => match this.items.offer(&bytes) {
                ItemSent::Full => this.items.poll_send(&bytes, &mut this.ticket, cx, &CURRENT),
                sent => Poll::Ready(sent),
            },
            Some(_) => this.items.poll_send(&bytes, &mut this.ticket, cx, &CURRENT),
        };
        if polled.is_pending() {
            this.state = State::Encoded(bytes);
            return Poll::Pending;
        }
        give_buffer(bytes);
        Poll::Ready(SendError::result(ready!(polled)))
    }
}

impl<T: Transfer> FusedFuture for Sending<'_, T> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

impl<T> Drop for Sending<'_, T> {
    fn drop(&mut self) {
        self.items.leave(&mut self.ticket);
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
