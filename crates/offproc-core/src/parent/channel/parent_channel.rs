//! The transport seam: the parent's end of one worker's channel.

use super::event::{Awaited, ChannelEvent};
use crate::error::EncodeError;
use crate::job::message::Answer;
use crate::parent::runtime::RuntimeSelector;
use crate::wire::writer::Writer;
use std::any::Any;
use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::task::{Context, Poll};
use std::time::Instant;

/// Writes the body of a job.
pub(crate) type WriteJob<'a> = dyn FnMut(&mut Writer<'_>) -> Result<(), EncodeError> + 'a;

/// A job that was encoded, in this many bytes, and is submitted next.
#[derive(Debug)]
#[must_use]
pub(crate) struct Encoded(pub(super) usize);

/// A channel to a worker that is ready for jobs.
pub(crate) trait ParentChannel: Send + Sync + fmt::Debug {
    /// Encodes the next job, whose body may have `limit` bytes, in the channel's memory. If that fails or panics, the
    /// channel is as before, and nothing goes to the worker.
    fn encode(&mut self, limit: usize, write: &mut WriteJob<'_>) -> Result<Encoded, EncodeError>;

    /// Hands over the job that was encoded. What cannot be sent at once is sent while the answer is polled for. Returns
    /// the time, if this took a system call, beside which reading the clock costs nothing.
    ///
    /// # Errors
    ///
    /// The job's attachments could not be sent; neither was the job.
    fn submit(&mut self, job: Encoded) -> io::Result<Option<Instant>>;

    /// The job that was encoded is a chunk. Call this before it is submitted.
    fn begin_chunk(&mut self);

    /// What a worker that has ended has published of its chunk's answer.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn published(&mut self) -> io::Result<Answer>;

    /// The next event.
    fn poll_event(&mut self, awaited: Awaited, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<ChannelEvent>;

    /// The last event of a worker whose process has ended.
    fn after_exit(&mut self, awaited: Awaited) -> ChannelEvent;

    /// Whether to compare the worker's rights with the program's now, as that costs little beside the next job or the
    /// worker's start: the worker is new, or has been idle for a while, or this was false for many jobs.
    fn is_time_to_compare(&self) -> bool;

    /// The worker never reads the job: the ends of channels in it may go to another.
    fn ends_stay(&mut self);

    /// The items of the current chunk that have not begun are not wanted: the worker ends the chunk before them. For
    /// another job it does nothing.
    fn withdraw_items(&mut self);

    /// Asks the job to stop. The worker takes no other after it.
    fn request_stop(&mut self);

    /// Requests that the worker leave when it has no job.
    fn request_shutdown(&mut self);
}

/// The result of an attempt to encode a job. If that has failed or panicked, the channel takes back what it has begun,
/// before the panic goes on to the caller.
pub(super) fn encoded_or<C>(
    channel: &mut C,
    attempt: Result<Result<usize, EncodeError>, Box<dyn Any + Send>>,
    take_back: fn(&mut C),
) -> Result<Encoded, EncodeError> {
    match attempt {
        Ok(Ok(written)) => Ok(Encoded(written)),
        Ok(Err(error)) => {
            take_back(channel);
            Err(error)
        }
        Err(panic) => {
            take_back(channel);
            resume_unwind(panic)
        }
    }
}

/// There is no room for the argument.
#[cold]
pub(super) fn no_room(e: io::Error) -> EncodeError {
    EncodeError(format!("there is no memory for the argument: {e}"))
}
