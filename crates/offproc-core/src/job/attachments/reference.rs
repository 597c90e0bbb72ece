//! How a value refers to an attachment.

use crate::job::reason::note;
use serde::{Deserialize, Serialize};
use std::io;

/// A buffer that both sides have mapped, or whose descriptor comes with the message.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Reference {
    /// Its id, given by the parent; 0 for one that the worker has made.
    pub(super) id: u64,
    pub(super) length: u64,
    /// The number of its descriptor, if it is new to the other side.
    pub(super) at: Option<u32>,
}

/// The error for a descriptor that is serialised outside a message.
pub(super) const NOT_IN_A_CALL: &str = "a descriptor can only be serialised and deserialised as an argument or a \
    result of a call, alone or inside other types, and not by another format inside one of them";

/// The error for one in an item of a channel.
pub(super) const IN_AN_ITEM: &str = "a descriptor, or an end of a channel, cannot be an item of a channel, or be in \
    one: send it in the argument or the result of a call";

/// The error for one in a call of a worker behind a command.
pub(super) const FAR: &str = "a descriptor, or an end of a channel, cannot go to or from a worker behind a command, \
    which may be on another machine";

/// Refuses a descriptor outside a call, or in another format.
pub(crate) fn refuse_descriptor() -> io::Error {
    note(NOT_IN_A_CALL);
    io::Error::other(NOT_IN_A_CALL)
}
