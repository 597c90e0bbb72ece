//! The events of the parent's end of a channel, and how to wait for a channel and the end of its process together.

use crate::job::message::Answer;
use std::io;
use std::task::{Context, Poll, ready};

/// What a worker has to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The answer to its job.
    Answer,
    /// Whether it stays after that.
    Decision,
}

/// The next event of a channel.
#[derive(Debug)]
pub(crate) enum ChannelEvent {
    /// The answer to the job, with its attachments.
    Answer(Answer),
    /// Whether the worker takes another job.
    Decision(RetireDecision),
    /// The worker has not begun the job, and never will: it has sent that it leaves, the job could not be sent whole,
    /// or the channel knows that it was not read. It may run elsewhere.
    NotTaken,
    /// The system refuses to send the rest of the job. It did not run, and the worker takes no other.
    NotSent(io::Error),
    /// The connection has ended. A job that the worker had may have run.
    HungUp,
    /// A protocol violation, or a frame that cannot be received: says what is wrong.
    Violation(String),
}

/// A worker's decision after a job, if its context may retire it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetireDecision {
    /// It takes another job.
    Stays,
    /// It takes no further job.
    Leaves,
}

/// An event that may be the end of the connection.
pub(crate) trait MayHangUp {
    const HUNG_UP: Self;

    fn is_hang_up(&self) -> bool;
}

impl MayHangUp for ChannelEvent {
    const HUNG_UP: Self = Self::HungUp;

    fn is_hang_up(&self) -> bool {
        matches!(self, Self::HungUp)
    }
}

/// The next event of a channel; `HungUp` only once the process has ended.
///
/// The parent sees the death of a worker by its process: a grandchild may hold the connection open, and a living worker
/// may have closed it. A worker may have answered and then ended, so this reads its channel once more `after_exit`: all
/// that it has sent is there then.
#[inline]
pub(crate) fn poll_until_exit<C: ?Sized, E: MayHangUp>(
    channel: &mut C,
    has_hung_up: &mut bool,
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut C, &mut Context<'_>) -> Poll<E>,
    poll_exit: impl FnOnce(&mut Context<'_>) -> Poll<()>,
    after_exit: impl FnOnce(&mut C) -> E,
) -> Poll<E> {
    if !*has_hung_up {
        match poll(channel, cx) {
            Poll::Ready(event) if event.is_hang_up() => *has_hung_up = true,
            Poll::Ready(event) => return Poll::Ready(event),
            Poll::Pending => {}
        }
    }
    ready!(poll_exit(cx));
    Poll::Ready(if *has_hung_up { E::HUNG_UP } else { after_exit(channel) })
}
