//! The messages between the parent and a fork server.

use super::frame::{self, Decoder, Frame, Kind};
use crate::job::codec;
use crate::sys::reap::Reaped;
use serde::{Deserialize, Serialize};

/// In a frame of kind `ForkRequest`, with the new worker's connection and its end of a lifeline.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ForkRequest {
    /// Identifies the worker from then on, as process ids are reused.
    pub(crate) id: u64,
}

/// In a frame of kind `Forked`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Forked {
    pub(crate) pid: u32,
}

/// In a frame of kind `Ended`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) id: u64,
    /// `None` when there was no process.
    pub(crate) reaped: Option<Reaped>,
}

/// A bound on the size of messages between a parent and its fork server.
pub(crate) const MESSAGE: usize = 256;

/// A message as a frame.
pub(crate) fn pack(kind: Kind, message: &impl serde::Serialize) -> Vec<u8> {
    let mut out = frame::begin();
    codec::encode_to(message, &mut out).expect("a few numbers");
    frame::finish(kind, &mut out);
    out
}

/// The frame that is a whole message.
pub(crate) fn unpack(message: &[u8]) -> Option<Frame> {
    let mut decoder = Decoder::new(MESSAGE);
    decoder.space().get_mut(..message.len())?.copy_from_slice(message);
    decoder.advance(message.len());
    decoder.next().ok().flatten()
}
