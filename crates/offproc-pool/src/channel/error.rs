//! Why an item was not sent or received.

use offproc_core::{DecodeError, EncodeError, ItemSent};
use std::error::Error;
use std::fmt;

/// Why [`Sender::send`](crate::Sender::send) has not sent an item.
#[derive(Clone, Debug)]
pub enum SendError {
    /// The receiver is gone: it was dropped, or its process has ended. Or the sender is not here: it was sent to
    /// another process, or this one is a fork.
    Closed,
    /// The item could not be serialised, or the system had no memory for it. Others can be sent.
    Encode(EncodeError),
}

/// Why [`Sender::try_send`](crate::Sender::try_send) has not sent an item.
#[derive(Clone, Debug)]
pub enum TrySendError<T> {
    /// As many items as the channel has room for wait to be received.
    Full(T),
    /// As [`SendError::Closed`].
    Closed(T),
    /// As [`SendError::Encode`].
    Encode(EncodeError),
}

/// Why [`Receiver::recv`](crate::Receiver::recv) has received no item.
#[derive(Clone, Debug)]
pub enum RecvError {
    /// The sender is gone, dropped or with its process, and all that it has sent was received.
    Closed,
    /// What the sender has sent could not be deserialised as an item. [`recv`](crate::Receiver::recv) goes on with the
    /// next one.
    Decode(DecodeError),
}

impl SendError {
    /// What a `send` returns, which never finds the channel full.
    pub(super) fn result(sent: ItemSent) -> Result<(), Self> {
        match sent {
            ItemSent::Sent => Ok(()),
            ItemSent::Closed | ItemSent::Full => Err(Self::Closed),
            ItemSent::Refused(error) => Err(Self::Encode(error)),
        }
    }
}

const CLOSED: &str = "the other end of the channel is gone";

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(CLOSED),
            Self::Encode(error) => write!(f, "the item could not be sent: {error}"),
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the channel is full"),
            Self::Closed(_) => f.write_str(CLOSED),
            Self::Encode(error) => write!(f, "the item could not be sent: {error}"),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(CLOSED),
            Self::Decode(error) => write!(f, "an item could not be received: {error}"),
        }
    }
}

impl Error for SendError {}
impl<T: fmt::Debug> Error for TrySendError<T> {}
impl Error for RecvError {}
