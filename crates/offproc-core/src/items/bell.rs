//! The socket pair of an item channel: a byte on it wakes the end that sleeps, and its end shows that the other end is
//! gone, however its process has ended.

use crate::parent::background;
use crate::parent::channel::registered::Registered;
use crate::parent::lookout::Lookout;
use crate::parent::runtime::RuntimeSelector;
use crate::role;
use crate::sys::discard::{discard, discard_socket, receive_with};
use crate::sys::fork::is_forked;
use crate::sys::fork_registry::TrackedSocket;
use crate::sys::gifts::is_at_end;
use crate::sys::pairs;
use crate::sys::socket::{self, Blocking, Socket, retry};
use crate::wire::items::words::Bell;
use rustix::io::Errno;
use std::io;
use std::task::{Context, Poll};

/// How often it is read in one go. An end that rings more often is hostile.
const MOST_READS: usize = 16;

/// One end of the pair.
#[derive(Debug)]
pub(crate) struct SocketBell(Registered);

/// What a look at it has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    /// The other end may have news.
    News,
    /// The other end is gone.
    End,
}

impl SocketBell {
    pub(crate) fn new(socket: TrackedSocket) -> Self {
        // A worker starts no thread for that: it can be killed.
        if role::depth() == 0 {
            socket.close_elsewhere();
        }
        Self(Registered::new(socket))
    }

    /// A socket from another process, which is not trusted.
    pub(super) fn open(socket: Socket) -> io::Result<Self> {
        if pairs::is_of_pair(&socket) {
            Ok(Self::new(socket.into()))
        } else {
            discard_socket(socket);
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is not an end of a channel"))
        }
    }

    pub(super) fn descriptor(&self) -> &TrackedSocket {
        self.0.descriptor()
    }

    /// Reads what there is, without waiting. Descriptors that a hostile end sends along are closed.
    pub(super) fn read(&self, space: &mut [u8]) -> Result<usize, Errno> {
        let mut descriptors = Vec::new();
        let read = retry(|| receive_with(self.descriptor(), space, &mut descriptors, Blocking::No));
        if !descriptors.is_empty() {
            discard(descriptors);
        }
        read
    }

    /// Takes the rings that there are, without waiting.
    pub(crate) fn silence(&self) -> Rung {
        let mut space = [0; 256];
        for _ in 0..MOST_READS {
            match self.read(&mut space) {
                Ok(1..) => {}
                Err(Errno::AGAIN) => return Rung::News,
                Ok(0) | Err(_) => return Rung::End,
            }
        }
        Rung::News
    }

    /// Whether the other end is gone, as far as can be seen without waiting.
    pub(super) fn has_ended(&self) -> bool {
        is_at_end(self.descriptor())
    }

    /// Ready once there may be news. Look for them before and after.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<io::Result<()>> {
        let polled = if is_forked() {
            // Where neither offproc's threads are nor those of the program's runtime.
            self.0.poll_readable(cx, &RuntimeSelector::only(Lookout))?
        } else {
            self.0.poll_readable(cx, runtime)?
        };
        if self.0.is_doubted() {
            // It finds reactors that do not run; a worker has none until now.
            let _ = background::ensure();
        }
        // Time that is paused goes on while a task waits for items, as it does for a socket.
        self.0.let_clock_run();
        polled.map(Ok)
    }

    /// The wait is over.
    pub(super) fn rest(&mut self) {
        self.0.rest();
    }

    /// The other end sees the end, whichever processes have copies of this one.
    pub(crate) fn shut_down(&self) {
        self.descriptor().shut_down();
    }
}

impl Bell for SocketBell {
    fn ring(&self) {
        // Without room for a byte, there are some that were not read. Without the other end, there is no one to wake.
        let _ = socket::send(self.descriptor(), &[1], Blocking::No);
    }
}
