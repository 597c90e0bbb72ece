//! The transport seam: the worker's end of its channel. It blocks, as a worker has nothing else to do.

use crate::job::attachments::{Incoming, Outgoing};
use crate::job::exchange::ResultRoom;
use crate::wire::frame::Kind;
use std::io;
use std::time::Duration;

/// What a worker gets when it waits for a job.
#[derive(Debug)]
pub(crate) enum Next {
    /// A job: its body, valid until the answer is begun.
    Job(*const [u8]),
    /// A job that this process has no memory for; says why.
    NoMemory(String),
    /// The parent has requested the shutdown: leave.
    Closed,
    /// No job came within the idle timeout, and the worker has sent that it leaves.
    Idle,
}

/// The result of sending an answer.
#[derive(Debug)]
#[must_use]
pub(crate) enum Sent {
    Whole,
    /// The system refused to send it, or its attachments. Nothing was sent; another answer can be.
    Refused(io::Error),
}

impl Sent {
    /// For answers that must be sent.
    pub(crate) fn must_be_whole(self) -> io::Result<()> {
        match self {
            Self::Whole => Ok(()),
            Self::Refused(e) => Err(e),
        }
    }
}

/// The error for a job of this many bytes.
pub(super) fn no_memory(length: usize) -> String {
    format!("there is no memory in the worker for a job of {length} bytes")
}

/// The worker's end of a channel.
pub(crate) trait WorkerChannel: ResultRoom {
    /// Waits for the next job, for at most `patience`, and receives its attachments.
    fn next(&mut self, patience: Option<Duration>, incoming: &mut Incoming) -> io::Result<Next>;

    /// Returns `self`: compilers before 1.86 do not convert a trait object to one of a supertrait.
    fn as_result_room(&mut self) -> &mut dyn ResultRoom;

    /// Sends the answer that was begun, of this many bytes.
    fn answer(&mut self, kind: Kind, written: usize, outgoing: &Outgoing) -> io::Result<Sent>;

    /// After an answer: sends whether the worker stays.
    fn send_decision(&mut self, stays: bool) -> io::Result<()>;

    /// The worker exits now: what it has sent last must arrive, whatever is still on its way to it.
    fn linger(&mut self);
}
