//! The frame that is being sent, and how far the worker may have read it.

use crate::sys::fork_registry::{SocketEnd, TrackedGift, TrackedSocket, WeakSocket};
use crate::sys::gifts::{self, send_with};
use crate::sys::socket::{Blocking, Unsent};
use crate::wire::buffer;
use crate::wire::frame::{self, HEADER, Kind};

#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) bytes: Vec<u8>,
    sent: usize,
    // The descriptors that go with its first byte.
    attached: Vec<TrackedGift>,
    reading: Reading,
    // This side sends no more of it: then the worker leaves.
    is_cut_off: bool,
    // The worker has left, or is gone: nothing is sent.
    is_closed: bool,
}

/// How far the worker may have read the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Nothing shows that the worker has begun to read it. Unread bytes on the connection are of this frame.
    Unbegun,
    /// Nor does anything here: there was no room for the rest of it.
    Blocked,
    /// The worker may have read it: there was room again, or something has come since, or something else was sent.
    MayHaveBegun,
}

impl Outbound {
    pub(super) fn new(bytes: Vec<u8>, attached: Vec<TrackedGift>) -> Self {
        Self { bytes, sent: 0, attached, reading: Reading::Unbegun, is_cut_off: false, is_closed: false }
    }

    /// Another frame, with room for its header.
    pub(super) fn begin(&mut self) {
        self.bytes = buffer::take();
        self.bytes.resize(HEADER, 0);
        self.sent = 0;
        self.set_unread();
    }

    pub(super) fn attach(&mut self, mut descriptors: Vec<TrackedGift>) {
        self.attached.append(&mut descriptors);
    }

    /// Sends as much as the socket takes.
    pub(super) fn send(&mut self, socket: &TrackedSocket) -> Result<(), Unsent> {
        if self.is_closed && self.sent < self.bytes.len() {
            return Err(Unsent::Gone);
        }
        if self.sent == 0 && !self.attached.is_empty() {
            self.list_attached(socket)?;
        }
        while self.sent < self.bytes.len() {
            match send_with(socket, &self.bytes[self.sent..], &self.attached, Blocking::No) {
                Ok(count) => {
                    self.attached.clear();
                    self.sent += count;
                    if self.reading == Reading::Blocked {
                        self.reading = Reading::MayHaveBegun;
                    }
                }
                Err(e) => {
                    if self.reading == Reading::Unbegun {
                        self.reading = Reading::Blocked;
                    }
                    return Err(e.into());
                }
            }
        }
        if self.bytes.capacity() > 0 {
            self.discard();
        }
        Ok(())
    }

    /// Where descriptors do not travel with bytes, a frame that lists them comes first.
    fn list_attached(&mut self, socket: &TrackedSocket) -> Result<(), Unsent> {
        if let Some(list) = gifts::list(socket, &self.attached)? {
            self.bytes.splice(..0, frame::of_list(&list));
            self.attached.clear();
        }
        Ok(())
    }

    /// Drops the frame.
    pub(super) fn discard(&mut self) {
        buffer::give(std::mem::take(&mut self.bytes));
        self.sent = 0;
        self.attached.clear();
    }

    /// True if no byte of it was sent.
    pub(super) fn is_unsent(&self) -> bool {
        self.sent == 0
    }

    /// The rest of it is not sent.
    pub(super) fn cut_off(&mut self) {
        self.is_cut_off |= self.sent < self.bytes.len();
    }

    /// Nothing more is sent.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// What has come from the worker came before the frame.
    pub(super) fn set_unread(&mut self) {
        self.reading = Reading::Unbegun;
    }

    /// The worker may have begun to read it.
    pub(super) fn may_have_begun(&mut self) {
        self.reading = Reading::MayHaveBegun;
    }

    /// True if bytes that the worker has not read can be of this frame alone.
    pub(super) fn is_unread(&self) -> bool {
        self.reading != Reading::MayHaveBegun
    }

    /// The worker has ended, and this was not sent whole: whether it may have died of reading it.
    pub(super) fn may_have_killed(&self) -> bool {
        !self.is_unread() && !self.is_cut_off
    }
}

/// Whether a worker has died that had read its job, as far as the connection shows it. One that has sent that it leaves
/// has read and dropped what there was.
pub(super) fn has_died_of_job(socket: &WeakSocket, reset_means_unread: bool) -> bool {
    let leaves = || {
        let mut header = [0; HEADER];
        socket.peek(&mut header) == HEADER && header == frame::empty(Kind::Leaves)
    };
    match socket.end() {
        None => false,
        Some(SocketEnd::Unread) => !reset_means_unread && !leaves(),
        Some(SocketEnd::AllRead) => !leaves(),
    }
}
