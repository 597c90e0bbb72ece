//! What comes over a stream.

use crate::parent::channel::event::MayHangUp;
use crate::wire::frame::Frame;
use std::fmt;
use std::io;

/// The events of the connection.
#[derive(Debug)]
pub(crate) enum FrameEvent {
    Frame(Frame),
    /// See [`ChannelEvent`](crate::parent::channel::event::ChannelEvent) for this one and those below.
    NotTaken,
    NotSent(io::Error),
    HungUp,
    Violation(String),
}

impl MayHangUp for FrameEvent {
    const HUNG_UP: Self = Self::HungUp;

    fn is_hang_up(&self) -> bool {
        matches!(self, Self::HungUp)
    }
}

impl FrameEvent {
    pub(super) fn violation(what: impl fmt::Display) -> Self {
        Self::Violation(what.to_string())
    }
}
