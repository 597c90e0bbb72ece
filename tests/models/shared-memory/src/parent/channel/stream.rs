//! Where descriptors go beside the memory: there are none.

use crate::sys::fork_registry::{TrackedFd, WeakFd};
use crate::sys::socket::Unsent;
use crate::wire::frame::Frame;
use std::os::fd::OwnedFd;

#[derive(Debug)]
pub(crate) struct ParentStream;

impl ParentStream {
    pub(crate) fn send_now(&mut self, _frame: &[u8], _attached: &[TrackedFd]) -> Result<(), Unsent> {
        unimplemented!("nothing goes with a job")
    }

    pub(crate) fn weak_socket(&self) -> WeakFd {
        WeakFd
    }

    pub(crate) fn end_sending(&self) {
        unimplemented!("no job is asked to stop")
    }

    pub(crate) fn receive(&mut self) -> Result<Option<Frame>, ()> {
        unimplemented!("nothing comes with an answer")
    }

    pub(crate) fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        Vec::new()
    }
}
