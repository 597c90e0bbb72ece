//! What a job has of its worker.

use super::attachments::{Incoming, Outgoing};
use super::codec;
use super::message::Failure;
use super::state::WorkerState;
use crate::error::{EncodeError, PanicError};
use crate::wire::writer::Writer;
use serde::Serialize;
use std::io;

/// The input and output of a job.
pub(crate) struct Exchange<'a> {
    pub(crate) result: &'a mut dyn ResultRoom,
    pub(crate) incoming: &'a mut Incoming,
    pub(crate) outgoing: Outgoing,
    /// How large a result may be.
    pub(crate) limit: usize,
    /// The state of the worker, which the job may use.
    pub(crate) state: &'a mut WorkerState,
    pub(crate) hooks: &'static ItemHooks,
    /// Of a chunk: where the last entry of its answer begins.
    pub(crate) last_entry: Option<usize>,
}

impl Exchange<'_> {
    /// Writes the result, in so many bytes.
    #[inline]
    pub(super) fn write<R: Serialize>(&mut self, result: &R) -> Result<usize, Failure> {
        self.outgoing = self.result.outgoing(self.incoming);
        let mut writer = self
            .result
            .begin(self.limit)
            .map_err(|e| Failure::Encode(EncodeError(format!("there is no memory for the result: {e}"))))?;
        self.outgoing.while_sending(|| codec::encode(result, &mut writer)).map_err(Failure::Encode)?;
        Ok(writer.written())
    }
}

/// The room for the result of a job.
pub(crate) trait ResultRoom {
    /// For the answer's attachments.
    fn outgoing(&self, incoming: &mut Incoming) -> Outgoing;

    /// Begins an answer, whose body may have `limit` bytes. The body of the job is no longer valid after that.
    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>>;

    /// Goes on with an answer behind its first `written` bytes, with up to `more` bytes.
    fn resume(&mut self, written: usize, more: usize) -> io::Result<Writer<'_>>;

    /// The parent gets the `written` bytes of a chunk's answer also if this process dies. Returns where to go on.
    fn publish(&mut self, written: usize) -> io::Result<usize>;

    /// True once the parent does not want the items of the current chunk that have not begun.
    fn is_withdrawn(&mut self) -> bool;
}

/// What a worker does around each item of a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemHooks {
    /// Runs an item, whose entry in the answer begins at this byte, and catches its panic.
    pub(crate) catch: fn(entry: usize, item: &mut dyn FnMut()) -> Result<(), PanicError>,
    /// Whether the job has been asked to stop.
    pub(crate) should_stop: fn() -> bool,
}
