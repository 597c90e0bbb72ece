//! The sending end, of items as bytes.

use super::end::{End, Link, State};
use super::send::Offered;
use super::side::SendSide;
use crate::error::EncodeError;
use crate::parent::runtime::RuntimeSelector;
use crate::parent::wait::wait;
use crate::sys::readiness::{self, Interest};
use crate::wait_list::wake;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::future::poll_fn;
use std::sync::MutexGuard;
use std::task::{Context, Poll, Waker};

/// The sending end of an item channel.
#[derive(Debug)]
pub struct ItemSender(End<SendSide>);

/// What became of an item.
#[derive(Debug)]
pub enum ItemSent {
    /// It waits to be received, or was received.
    Sent,
    /// There is no room for it now.
    Full,
    /// No receiver will get it.
    Closed,
    /// It can never be sent.
    Refused(EncodeError),
}

/// The place of a task or thread among those that wait to send.
pub type SendTicket = Option<u64>;

impl Link<SendSide> {
    #[inline]
    fn offer(&mut self, item: &[u8]) -> ItemSent {
        // Before the item is there: its receiver may take it and end at once.
        if self.is_over() {
            return ItemSent::Closed;
        }
        if item.len() as u64 > self.bound.get() {
            return self.too_long(item);
        }
        let offered = self.side.offer(item, &self.bell);
        self.result(offered)
    }

    #[inline]
    fn result(&mut self, offered: Offered) -> ItemSent {
        match offered {
            Offered::Sent => ItemSent::Sent,
            Offered::Full => ItemSent::Full,
            Offered::Closed => {
                self.is_over = true;
                ItemSent::Closed
            }
            Offered::Refused(e) => ItemSent::Refused(EncodeError(e.to_string())),
        }
    }

    #[cold]
    fn too_long(&self, item: &[u8]) -> ItemSent {
        ItemSent::Refused(EncodeError(format!(
            "an item of {} bytes is longer than the `max_message_size` of the context, {} bytes",
            item.len(),
            self.bound.get()
        )))
    }

    /// Whether the receiver's process has ended: looks now and then.
    #[inline]
    fn is_over(&mut self) -> bool {
        if self.looked.is_due() {
            self.is_over |= self.side.has_ended(&self.bell);
        }
        self.is_over
    }

    /// As `offer`, after having asked for the bell where there is no room.
    fn offer_and_sleep(&mut self, item: &[u8]) -> ItemSent {
        if let SendSide::Ring(ring) = &mut self.side {
            self.spin.until(|| ring.may_have_room());
        }
        let offered = self.offer(item);
        if !matches!(offered, ItemSent::Full) {
            return offered;
        }
        let offered = self.side.offer_asleep(item, &self.bell);
        self.result(offered)
    }
}

impl ItemSender {
    pub(super) fn of(end: End<SendSide>) -> Self {
        Self(end)
    }

    fn link<'a>(state: &'a mut Option<MutexGuard<'_, State<SendSide>>>) -> Result<&'a mut Link<SendSide>, ItemSent> {
        match state.as_deref_mut() {
            Some(State::Here(link)) => Ok(link),
            Some(State::Failed(reason)) => Err(ItemSent::Refused(EncodeError(reason.clone()))),
            Some(State::Leaving(_) | State::Gone) | None => Err(ItemSent::Closed),
        }
    }

    /// Sends an item, if there is room, and no other waits for some. `Full` may also mean that the receiver's process
    /// has ended.
    #[inline]
    pub fn offer(&self, item: &[u8]) -> ItemSent {
        let mut state = self.0.lock();
        match Self::link(&mut state) {
            Ok(link) if link.queue.is_empty() => link.offer(item),
            Ok(_) => ItemSent::Full,
            Err(sent) => sent,
        }
    }

    /// As [`offer`](Self::offer), for a sender that does not wait where there is no room: `Full` means just that.
    #[inline]
    pub fn try_offer(&self, item: &[u8]) -> ItemSent {
        match self.offer(item) {
            ItemSent::Full if self.is_closed() => ItemSent::Closed,
            sent => sent,
        }
    }

    /// Sends an item once there is room; never `Full`.
    pub fn poll_send(
        &self,
        item: &[u8],
        ticket: &mut SendTicket,
        cx: &mut Context<'_>,
        runtime: &RuntimeSelector,
    ) -> Poll<ItemSent> {
        let sent = self.poll_in_turn(item, ticket, cx, runtime);
        if sent.is_ready() {
            self.leave(ticket);
        }
        sent
    }

    fn poll_in_turn(
        &self,
        item: &[u8],
        ticket: &mut SendTicket,
        cx: &mut Context<'_>,
        runtime: &RuntimeSelector,
    ) -> Poll<ItemSent> {
        let mut state = self.0.lock();
        let link = match Self::link(&mut state) {
            Ok(link) => link,
            Err(sent) => return Poll::Ready(sent),
        };
        let mut stale = None;
        let polled =
            if link.queue.is_first(*ticket) { Self::poll_first(link, item, cx, runtime) } else { Poll::Pending };
        if polled.is_pending() {
            stale = link.queue.enter(ticket, cx.waker().clone());
        }
        drop(state);
        drop(stale);
        polled
    }

    fn poll_first(
        link: &mut Link<SendSide>,
        item: &[u8],
        cx: &mut Context<'_>,
        runtime: &RuntimeSelector,
    ) -> Poll<ItemSent> {
        loop {
            match link.offer(item) {
                ItemSent::Full => {}
                sent => return Poll::Ready(sent),
            }
            match link.offer_and_sleep(item) {
                ItemSent::Full => {}
                sent => return Poll::Ready(sent),
            }
            match std::task::ready!(link.bell.poll(cx, runtime)) {
                Ok(()) => link.rung(),
                Err(e) => return Poll::Ready(ItemSent::Refused(EncodeError(format!("there is no way to wait: {e}")))),
            }
        }
    }

    /// A task or thread no longer waits.
    pub fn leave(&self, ticket: &mut SendTicket) {
        let Some(ticket) = ticket.take() else { return };
        let mut state = self.0.lock();
        let (own, next): (Option<Waker>, Option<Waker>) = match Self::link(&mut state) {
            Ok(link) => {
                link.bell.rest();
                link.queue.leave(ticket)
            }
            Err(_) => (None, None),
        };
        drop(state);
        drop(own);
        next.into_iter().for_each(wake);
    }

    /// Sends an item once there is room, and blocks the calling thread until then; never `Full`.
    pub fn send_blocking(&self, item: &[u8], ticket: &mut SendTicket) -> ItemSent {
        match self.offer(item) {
            ItemSent::Full => {}
            sent => return sent,
        }
        wait(poll_fn(|cx| self.poll_turn(ticket, cx)));
        let sent = loop {
            let mut state = self.0.lock();
            let link = match Self::link(&mut state) {
                Ok(link) => link,
                Err(sent) => break sent,
            };
            match link.offer_and_sleep(item) {
                ItemSent::Full => {}
                sent => break sent,
            }
            let socket = link.bell.descriptor().clone();
            drop(state);
            let waited = readiness::wait(socket, Interest::Readable, None);
            let mut state = self.0.lock();
            match (Self::link(&mut state), waited) {
                (Ok(link), Ok(_)) => link.rung(),
                (Ok(_), Err(e)) => break ItemSent::Refused(EncodeError(format!("there is no way to wait: {e}"))),
                (Err(sent), _) => break sent,
            }
        };
        self.leave(ticket);
        sent
    }

    /// Ready when no other waits before this one. It stays first until it leaves.
    fn poll_turn(&self, ticket: &mut SendTicket, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        let Ok(link) = Self::link(&mut state) else { return Poll::Ready(()) };
        let stale = link.queue.enter(ticket, cx.waker().clone());
        let is_first = link.queue.is_first(*ticket);
        drop(state);
        drop(stale);
        if is_first { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the receiver is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let mut state = self.0.lock();
        match Self::link(&mut state) {
            Ok(link) => {
                // What wakes one that waits is for that one to read.
                link.is_over |= match link.queue.is_empty() {
                    true => link.side.has_ended(&link.bell),
                    false => link.bell.has_ended(),
                };
                link.is_over
            }
            Err(_) => true,
        }
    }

    /// As if it was dropped.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Serialize for ItemSender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ItemSender {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer).map(Self)
    }
}
