use super::{Receiving, RecvError};
use offproc_core::{ItemReceiver, Transfer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// The receiving end of a [`channel`](crate::channel()).
///
/// It is a `Stream` of items, which ends at the channel's end, or at what is no item: [`end`](Self::end) says which.
/// For blocking code, [`wait`](Self::wait) makes an iterator of it. It is no iterator itself, which would block async
/// code unnoticed.
///
/// Dropping it ends the channel: what was sent and not received is dropped, and the sender gets
/// [`SendError::Closed`](crate::SendError::Closed).
#[must_use = "a channel ends when one of its ends is dropped"]
pub struct Receiver<T> {
    pub(super) items: ItemReceiver,
    pub(super) end: Option<RecvError>,
    of: PhantomData<fn() -> T>,
}

impl<T> Receiver<T> {
    pub(super) fn new(items: ItemReceiver) -> Self {
        Self { items, end: None, of: PhantomData }
    }

    /// Why the stream has ended; `None` while it has not.
    #[must_use]
    pub fn end(&self) -> Option<&RecvError> {
        self.end.as_ref()
    }
}

impl<T: Transfer> Receiver<T> {
    /// Receives the next item: a future, whose [`wait`](Receiving::wait) is the blocking form.
    ///
    /// # Errors
    ///
    /// [`RecvError`].
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it has received nothing: the next `recv` gets the item.
    pub fn recv(&mut self) -> Receiving<'_, T> {
        Receiving::new(&mut self.items)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("end", &self.end).finish_non_exhaustive()
    }
}

impl<T> Serialize for Receiver<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Receiver<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ItemReceiver::deserialize(deserializer).map(Self::new)
    }
}
