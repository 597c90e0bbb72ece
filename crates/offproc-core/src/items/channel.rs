//! Makes item channels, and turns items into bytes and back.

use super::bell::SocketBell;
use super::bound::Bound;
use super::end::End;
use super::receiver::ItemReceiver;
use super::sender::ItemSender;
use super::side::Medium;
use super::socket::Carried;
use crate::error::{DecodeError, EncodeError};
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::codec;
use crate::sys::fd_numbers::is_shortage;
use crate::sys::fork::lock_registry_in_forks;
use crate::sys::pairs;
use crate::sys::ring_memory::RingMemory;
use crate::wire::buffer;
use serde::{Serialize, de::DeserializeOwned};
use std::io;

/// A channel for so many items; 0 counts as 1. If the system has no room for one, both ends say so when they are used.
#[must_use]
pub fn item_channel(capacity: usize) -> (ItemSender, ItemReceiver) {
    match ends(capacity as u64) {
        Ok((sender, receiver)) => (sender, receiver),
        Err(e) => (ItemSender::of(End::failed(&e)), ItemReceiver::of(End::failed(&e))),
    }
}

fn ends(capacity: u64) -> io::Result<(ItemSender, ItemReceiver)> {
    let (a, b) = pairs::pair_of_ends()?;
    let (sender, receiver) = media()?;
    let (a, b, bound) = (SocketBell::new(a), SocketBell::new(b), Bound::none());
    Ok((
        ItemSender::of(End::new(sender, capacity, a, bound.clone())?),
        ItemReceiver::of(End::new(receiver, capacity, b, bound)?),
    ))
}

/// Memory, or the socket alone: where the system does not offer memory to share, or forbids it.
fn media() -> io::Result<(Medium, Medium)> {
    lock_registry_in_forks();
    match RingMemory::create() {
        Ok([sender, receiver]) => Ok((Medium::Memory(sender), Medium::Memory(receiver))),
        Err(e) if is_shortage(&e) => Err(e),
        Err(_) => Ok((Medium::Socket(Carried::default()), Medium::Socket(Carried::default()))),
    }
}

/// An item as bytes, which the buffer is given back for by [`give_buffer`].
///
/// # Errors
///
/// It cannot be serialised.
#[inline]
pub fn encode_item<T: Serialize>(item: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = buffer::take();
    // A value that is serialised within a message is no part of that.
    let encoded = Outgoing::none().while_sending(|| codec::encode_to(item, &mut bytes));
    encoded.map(|()| bytes)
}

/// An item from its bytes.
///
/// # Errors
///
/// They are no such item.
#[inline]
pub fn decode_item<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    Incoming::default().while_receiving(|| codec::decode(bytes))
}

/// A buffer that is used again.
#[must_use]
pub fn take_buffer() -> Vec<u8> {
    buffer::take()
}

/// Takes a buffer back.
pub fn give_buffer(bytes: Vec<u8>) {
    buffer::give(bytes);
}
