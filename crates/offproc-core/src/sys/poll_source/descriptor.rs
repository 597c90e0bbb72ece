use super::fork_registry::TrackedSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// What a runtime watches for readiness: the parent's end of a worker's channel, or its doorbell.
///
/// On Unix it is a descriptor, which never changes: it implements [`AsFd`] and [`AsRawFd`]. On Windows it is a socket:
/// it implements `AsSocket` and `AsRawSocket`.
#[derive(Clone, Debug)]
pub struct PollSource(TrackedSocket);

impl PollSource {
    pub(crate) fn new(descriptor: TrackedSocket) -> Self {
        Self(descriptor)
    }

    pub(crate) fn into_descriptor(self) -> TrackedSocket {
        self.0
    }
}

impl AsFd for PollSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for PollSource {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
