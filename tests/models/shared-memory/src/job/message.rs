//! An answer is one byte.

use super::attachments::Incoming;
use crate::wire::frame::Frame;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) frame: Frame,
}

impl Answer {
    pub(crate) fn new(frame: Frame, _incoming: Incoming) -> Self {
        Self { frame }
    }
}
