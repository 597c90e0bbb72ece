//! A sender as a `Sink`.

use super::{SendError, Sender};
use crate::runtime::CURRENT;
use futures_sink::Sink;
use offproc_core::{ItemSent, Transfer, encode_item, give_buffer};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<T: Transfer> Sink<T> for Sender<T> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), SendError> {
        assert!(self.held.is_none(), "`poll_ready` comes before `start_send`");
        let bytes = encode_item(&item).map_err(SendError::Encode)?;
        match self.items.offer(&bytes) {
            ItemSent::Full => {
                self.held = Some(bytes);
                Ok(())
            }
            sent => {
                give_buffer(bytes);
                SendError::result(sent)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = &mut *self;
        let Some(bytes) = &this.held else { return Poll::Ready(Ok(())) };
        let sent = ready!(this.items.poll_send(bytes, &mut this.ticket, cx, &CURRENT));
        this.held.take().into_iter().for_each(give_buffer);
        Poll::Ready(SendError::result(sent))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let flushed = ready!(self.as_mut().poll_flush(cx));
        self.items.close();
        Poll::Ready(flushed)
    }
}
