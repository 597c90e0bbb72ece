//! The transport seam: one worker's connection, as the parent holds it, and a descriptor watched by whichever runtime
//! needs it.

use super::runtime::{Host, RuntimeId, Watch};
use crate::sys::descriptors::Descriptor;
use crate::wire::frame::Frame;
use crate::wire::message::Request;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

/// A connection to a worker.
pub(crate) trait Line: Send + Sync + fmt::Debug {
    /// Hands over a job. What cannot go at once goes while the answer is polled for.
    fn post(&mut self, request: Request);

    /// The job posted last, if no answer to it has come: it may be posted elsewhere.
    fn take_back(&mut self) -> Option<Request>;

    /// The next frame from the worker.
    ///
    /// # Errors
    ///
    /// `ConnectionReset`: the worker is gone and has not taken what was posted. `UnexpectedEof`: it has hung up.
    /// `InvalidData`: what came is no frame. Anything else is the system's.
    fn poll_frame(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<io::Result<Frame>>;

    /// The next frame, if it is there already.
    fn try_frame(&mut self) -> io::Result<Option<Frame>>;

    /// A descriptor that came with a frame of the handshake.
    fn take_descriptor(&mut self) -> Option<OwnedFd>;

    /// From here on no descriptors are expected.
    fn end_handshake(&mut self);

    /// Tells the worker to leave when it has nothing to do.
    fn hang_up(&mut self);
}

/// A descriptor that is registered once with each runtime that waits on it.
#[derive(Debug)]
pub(crate) struct Watched {
    // Dropped first: a watch must end before its descriptor is closed.
    watch: Option<(RuntimeId, Box<dyn Watch>)>,
    descriptor: Descriptor,
}

impl Watched {
    pub(crate) fn new(descriptor: Descriptor) -> Self {
        Self { watch: None, descriptor }
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<io::Result<()>> {
        self.poll(cx, host, |watch, cx| watch.poll_readable(cx))
    }

    pub(crate) fn poll_writable(&mut self, cx: &mut Context<'_>, host: &Host) -> Poll<io::Result<()>> {
        self.poll(cx, host, |watch, cx| watch.poll_writable(cx))
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        host: &Host,
        poll: fn(&dyn Watch, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        let runtime = host.current();
        let id = runtime.id();
        if let Some((registered, watch)) = &self.watch
            && *registered == id
        {
            match ready!(poll(&**watch, cx)) {
                Ok(()) => return Poll::Ready(Ok(())),
                // The runtime it was registered with is ending, while this call goes on elsewhere.
                Err(_) => self.watch = None,
            }
        }
        self.watch = None;
        let watch = match runtime.watch(self.descriptor.clone()) {
            Ok(watch) => watch,
            Err(e) => return Poll::Ready(Err(e)),
        };
        let (_, watch) = self.watch.insert((id, watch));
        poll(&**watch, cx)
    }
}
