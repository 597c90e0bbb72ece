//! What both sides share: frames, messages, and how values and functions travel. `docs/wire-format.md` is its page.

pub(crate) mod attachments;
mod bounded;
pub(crate) mod buffer;
pub(crate) mod codec;
pub(crate) mod fork;
pub(crate) mod frame;
pub(crate) mod function;
pub(crate) mod hello;
pub(crate) mod message;
pub(crate) mod turn;
pub(crate) mod writer;
