//! The worker's end of its connection: blocking, as a worker has nothing else to do.

use crate::wire::attachments::{Incoming, Outgoing};
use crate::wire::frame::Kind;
use crate::wire::writer::Writer;
use std::io;
use std::time::Duration;

/// What a worker finds when it looks for work.
#[derive(Debug)]
pub(crate) enum Next {
    /// A job: its body, valid until the answer is begun.
    Job(*const [u8]),
    /// The parent has no more need: leave.
    Closed,
    /// Nothing came for as long as it may stay idle, and it has said that it leaves.
    Idle,
}

/// A transport, as the worker sees it.
pub(crate) trait Port {
    /// Waits for the next job, for at most `patience`, and takes in what comes with it.
    fn next(&mut self, patience: Option<Duration>, incoming: &mut Incoming) -> io::Result<Next>;

    /// For what goes with the answer.
    fn outgoing(&self, incoming: &mut Incoming) -> Outgoing;

    /// Begins an answer, whose body may have `limit` bytes.
    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>>;

    /// Sends the answer that was begun, of so many bytes.
    fn answer(&mut self, kind: Kind, written: usize, outgoing: Outgoing) -> io::Result<()>;

    /// After an answer: tells whether the worker stays.
    fn tell(&mut self, stays: bool) -> io::Result<()>;
}
