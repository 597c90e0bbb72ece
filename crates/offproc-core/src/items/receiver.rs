//! The receiving end, of items as bytes.

use super::end::{End, Link, State};
use super::receive::Taken;
use super::side::ReceiveSide;
use crate::error::DecodeError;
use crate::parent::runtime::RuntimeSelector;
use crate::sys::readiness::{self, Interest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::MutexGuard;
use std::task::{Context, Poll, ready};

/// The receiving end of an item channel.
#[derive(Debug)]
pub struct ItemReceiver(End<ReceiveSide>);

/// What was received.
#[derive(Debug)]
pub enum ItemReceived {
    /// An item, in the buffer.
    Item,
    /// There will be no more.
    Closed,
    /// There was something that is no item.
    Broken(DecodeError),
}

impl Link<ReceiveSide> {
    /// The next item, if it is there, or the end.
    #[inline]
    fn take(&mut self, into: &mut Vec<u8>) -> Option<ItemReceived> {
        let taken = self.side.take(into, self.bound.get(), &self.bell);
        self.result(taken)
    }

    #[inline]
    fn result(&mut self, taken: Taken) -> Option<ItemReceived> {
        match taken {
            Taken::Item => Some(ItemReceived::Item),
            Taken::Empty => None,
            Taken::End => Some(ItemReceived::Closed),
            Taken::Lost(e) | Taken::Unmapped(e) => {
                Some(ItemReceived::Broken(DecodeError(format!("there is no memory for an item: {e}"))))
            }
            Taken::TooLong(length) => Some(ItemReceived::Broken(DecodeError(format!(
                "an item of {length} bytes is longer than the `max_message_size` of the context, {} bytes",
                self.bound.get()
            )))),
            Taken::Violation => {
                // What comes after that means nothing.
                let was_over = std::mem::replace(&mut self.is_over, true);
                Some(if was_over {
                    ItemReceived::Closed
                } else {
                    ItemReceived::Broken(DecodeError(
                        "the sender of a channel has written what no sender writes".into(),
                    ))
                })
            }
        }
    }

    /// As `take`, after having asked for the bell where there is nothing.
    fn take_and_sleep(&mut self, into: &mut Vec<u8>) -> Option<ItemReceived> {
        if self.is_over {
            // It may have sent something just before.
            return Some(self.take(into).unwrap_or(ItemReceived::Closed));
        }
        if let ReceiveSide::Ring(ring) = &mut self.side {
            if self.spin.until(|| ring.look()) {
                return self.take(into);
            }
        }
        let taken = self.side.take_asleep(into, self.bound.get(), &self.bell);
        self.result(taken)
    }
}

impl ItemReceiver {
    pub(super) fn of(end: End<ReceiveSide>) -> Self {
        Self(end)
    }

    fn link<'a>(
        state: &'a mut Option<MutexGuard<'_, State<ReceiveSide>>>,
    ) -> Result<&'a mut Link<ReceiveSide>, ItemReceived> {
        match state.as_deref_mut() {
            Some(State::Here(link)) => Ok(link),
            Some(State::Failed(reason)) => Err(ItemReceived::Broken(DecodeError(reason.clone()))),
            Some(State::Leaving(_) | State::Gone) | None => Err(ItemReceived::Closed),
        }
    }

    /// The next item, if it is there already and has so few bytes; how many.
    #[inline]
    pub(super) fn take_small<const MOST: usize>(&mut self, into: &mut [u8; MOST]) -> Option<usize> {
        match self.0.lock().as_deref_mut() {
            Some(State::Here(link)) => link.side.take_small(into, &link.bell),
            _ => None,
        }
    }

    /// The next item.
    pub fn poll_receive(
        &mut self,
        into: &mut Vec<u8>,
        cx: &mut Context<'_>,
        runtime: &RuntimeSelector,
    ) -> Poll<ItemReceived> {
        let mut state = self.0.lock();
        let link = match Self::link(&mut state) {
            Ok(link) => link,
            Err(received) => return Poll::Ready(received),
        };
        if let Some(received) = link.take(into) {
            return Poll::Ready(received);
        }
        loop {
            if let Some(received) = link.take_and_sleep(into) {
                link.bell.rest();
                return Poll::Ready(received);
            }
            if link.side.is_busy() {
                drop(state);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(link.bell.poll(cx, runtime)) {
                Ok(()) => link.rung(),
                Err(e) => {
                    return Poll::Ready(ItemReceived::Broken(DecodeError(format!("there is no way to wait: {e}"))));
                }
            }
        }
    }

    /// The next item; blocks the calling thread until there is one.
    pub fn receive_blocking(&mut self, into: &mut Vec<u8>) -> ItemReceived {
        let mut state = self.0.lock();
        let link = match Self::link(&mut state) {
            Ok(link) => link,
            Err(received) => return received,
        };
        if let Some(received) = link.take(into) {
            return received;
        }
        loop {
            if let Some(received) = link.take_and_sleep(into) {
                return received;
            }
            if link.side.is_busy() {
                continue;
            }
            // This thread alone has the end: no other waits for its lock.
            if let Err(e) = readiness::wait(link.bell.descriptor(), Interest::Readable, None) {
                return ItemReceived::Broken(DecodeError(format!("there is no way to wait: {e}")));
            }
            link.rung();
        }
    }

    /// A task no longer waits.
    pub fn rest(&mut self) {
        if let Ok(link) = Self::link(&mut self.0.lock()) {
            link.bell.rest();
        }
    }

    /// As if it was dropped.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Serialize for ItemReceiver {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ItemReceiver {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer).map(Self)
    }
}
