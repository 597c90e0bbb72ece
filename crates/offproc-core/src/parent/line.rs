//! The transport seam: one worker's connection, as the parent holds it, and a descriptor watched by whichever runtime
//! needs it.

use super::runtime::{Fallback, Host, Runtime, RuntimeId, Watch};
use crate::sys::descriptors::Descriptor;
use crate::wire::attachments::{Incoming, Outgoing};
use crate::wire::frame::Frame;
use crate::wire::writer::Writer;
use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

/// A connection to a worker that is ready for jobs.
pub(crate) trait Line: Send + Sync + fmt::Debug {
    /// Begins a job, whose body may have `limit` bytes.
    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>>;

    /// Hands over the job that was begun, of so many bytes. What cannot go at once goes while the answer is polled
    /// for.
    ///
    /// # Errors
    ///
    /// What goes with it could not be sent; neither was the job.
    fn post(&mut self, written: usize, outgoing: Outgoing) -> io::Result<()>;

    /// What is to go with the next job.
    fn take_outgoing(&mut self) -> Outgoing;

    /// The job it was for was not posted.
    fn put_back(&mut self, outgoing: Outgoing);

    /// What came with the answer. A worker that has `failed` may not have got what went with the job.
    fn take_incoming(&mut self, failed: bool) -> Incoming;

    /// The next frame from the worker: the answer, or with `verdict` what it says after it.
    ///
    /// # Errors
    ///
    /// `ConnectionReset`: the worker has left, or is gone, and has not taken the job. `UnexpectedEof`: it has hung up.
    /// `InvalidData`: what came is no frame. Anything else is the system's.
    fn poll_frame(&mut self, cx: &mut Context<'_>, host: &Host, verdict: bool) -> Poll<io::Result<Frame>>;

    /// The last frame of a worker that has ended, if it is there; otherwise whether the job was taken. Errors as above.
    fn last_frame(&mut self, verdict: bool) -> io::Result<Option<Frame>>;

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

    /// False where readiness goes on until the descriptor was read.
    pub(crate) fn is_edge_triggered(&self) -> bool {
        self.watch.as_ref().is_some_and(|(_, watch)| watch.is_edge_triggered())
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
        let watch = runtime.watch(self.descriptor.clone()).map(|watch| (id, watch));
        // A runtime that a context was pinned to may have ended: that is not the worker's fault.
        let watch = watch.or_else(|_| Fallback.watch(self.descriptor.clone()).map(|watch| (Fallback.id(), watch)));
        let (_, watch) = self.watch.insert(watch?);
        poll(&**watch, cx)
    }
}
