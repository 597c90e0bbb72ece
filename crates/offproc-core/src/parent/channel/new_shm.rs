//! Shared memory that is made for a worker to come.

use super::parent_channel::ParentChannel;
use super::shm::ParentShm;
use super::stream::ParentStream;
use crate::sys::fd_numbers::is_shortage;
use crate::sys::fork_registry::{TrackedFd, TrackedGift};
use crate::sys::shared_memory::{SharedMemory, doorbell, has_futexes};
use std::io;

/// The parent's side of the memory that it will share with a worker.
pub(crate) struct NewShm {
    memory: SharedMemory,
    doorbell: TrackedFd,
    theirs: Vec<TrackedGift>,
}

impl NewShm {
    /// Memory for messages of up to `limit` bytes. `None` where the system does not offer all that it takes (an old
    /// kernel, one that forbids it, or a limit on the size of files).
    pub(crate) fn create(limit: usize) -> io::Result<Option<Self>> {
        if !has_futexes() {
            return Ok(None);
        }
        let create = || {
            let (memory, theirs) = SharedMemory::create(limit)?;
            let (doorbell, their_doorbell) = doorbell()?;
            Ok(Self { memory, doorbell, theirs: vec![theirs, their_doorbell] })
        };
        match create() {
            Ok(memory) => Ok(Some(memory)),
            // The worker will want them, too.
            Err(e) if is_shortage(&e) => Err(e),
            Err(_) => Ok(None),
        }
    }

    /// The worker's descriptors, which go with its hello.
    pub(crate) fn take_theirs(&mut self) -> Vec<TrackedGift> {
        std::mem::take(&mut self.theirs)
    }

    /// `spins`: whether to look for an answer before parking.
    pub(crate) fn into_channel(self, stream: ParentStream, limit: usize, spins: bool) -> Box<dyn ParentChannel> {
        Box::new(ParentShm::new(self.memory, self.doorbell, stream, limit, spins))
    }
}
