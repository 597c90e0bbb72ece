//! Where descriptors go beside the memory: there are none.

use super::worker_channel::Sent;
use crate::job::attachments::{Incoming, Outgoing};
use std::io;

#[derive(Debug)]
pub(crate) struct WorkerStream;

impl WorkerStream {
    pub(crate) fn receive_attached(&mut self, _incoming: &mut Incoming) -> io::Result<()> {
        unimplemented!("nothing comes with a job")
    }

    pub(crate) fn send_attached(&self, _outgoing: &Outgoing) -> io::Result<Sent> {
        unimplemented!("nothing goes with an answer")
    }
}
