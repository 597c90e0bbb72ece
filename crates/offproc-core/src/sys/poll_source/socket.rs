use super::fork_registry::TrackedSocket;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};

/// What a runtime watches for readiness: the parent's end of a worker's channel.
///
/// On Windows it is a socket, which never changes: it implements [`AsSocket`] and [`AsRawSocket`]. On Unix it is a
/// descriptor: it implements `AsFd` and `AsRawFd`.
#[derive(Clone, Debug)]
pub struct PollSource(TrackedSocket);

impl PollSource {
    pub(crate) fn new(socket: TrackedSocket) -> Self {
        Self(socket)
    }

    pub(crate) fn into_descriptor(self) -> TrackedSocket {
        self.0
    }
}

impl AsSocket for PollSource {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

impl AsRawSocket for PollSource {
    fn as_raw_socket(&self) -> RawSocket {
        self.0.as_raw_socket()
    }
}
