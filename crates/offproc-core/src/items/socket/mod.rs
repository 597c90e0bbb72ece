//! The two ends of an item channel without memory: items go over its socket.

mod outbox;
pub(crate) mod receive;
pub(crate) mod send;
#[cfg(test)]
mod tests;

pub(crate) use outbox::empty_all;

use serde::{Deserialize, Serialize};

/// What an end takes along to another process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Carried {
    /// A sender's: items that wait to be received. A receiver's: items that it has received and not acknowledged.
    pub(crate) count: u64,
    /// A sender's: what the socket had no room for. A receiver's: what it has read and not handed out.
    pub(crate) bytes: Vec<u8>,
}
