use super::{Sending, TrySendError};
use offproc_core::{ItemSender, ItemSent, SendTicket, SmallItem, Transfer, encode_item, give_buffer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// The sending end of a [`channel`](crate::channel()).
///
/// It is not `Clone`: an end has one owner, which can send from several threads and tasks by reference. Dropping it
/// ends the channel, once all that was sent is received.
///
/// It is also a `Sink`, which holds up to one item more than the channel's capacity, until it is flushed. An end with
/// such an item cannot be sent to another process.
#[must_use = "a channel ends when one of its ends is dropped"]
pub struct Sender<T> {
    pub(super) items: ItemSender,
    /// What the sink has taken and not sent, and its place among those that wait.
    pub(super) held: Option<Vec<u8>>,
    pub(super) ticket: SendTicket,
    of: PhantomData<fn(T)>,
}

impl<T> Sender<T> {
    pub(super) fn new(items: ItemSender) -> Self {
        Self { items, held: None, ticket: None, of: PhantomData }
    }

    /// True once the receiver is gone: it was dropped, or its process has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.items.is_closed()
    }
}

impl<T: Transfer> Sender<T> {
    /// Sends an item: a future that is ready once fewer than the channel's capacity of earlier items wait to be
    /// received. Its [`wait`](Sending::wait) is the blocking form.
    ///
    /// # Errors
    ///
    /// [`SendError`](crate::SendError).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it has sent nothing, and the item is dropped with it.
    pub fn send(&self, item: T) -> Sending<'_, T> {
        Sending::new(&self.items, item)
    }

    /// Sends an item if there is room at once.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the item.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        let sent = match SmallItem::send(&item, |bytes| self.items.try_offer(bytes)) {
            Some(sent) => sent,
            None => {
                let bytes = encode_item(&item).map_err(TrySendError::Encode)?;
                let sent = self.items.try_offer(&bytes);
                give_buffer(bytes);
                sent
            }
        };
        match sent {
            ItemSent::Sent => Ok(()),
            ItemSent::Full => Err(TrySendError::Full(item)),
            ItemSent::Closed => Err(TrySendError::Closed(item)),
            ItemSent::Refused(error) => Err(TrySendError::Encode(error)),
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> Serialize for Sender<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.held.is_some() {
            return Err(serde::ser::Error::custom("this end of a channel holds an item as a sink: flush it first"));
        }
        self.items.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Sender<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ItemSender::deserialize(deserializer).map(Self::new)
    }
}
