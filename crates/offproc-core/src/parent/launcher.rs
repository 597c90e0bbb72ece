//! The launcher seam: how a worker process comes to be.

use super::process::Process;
use super::runtime::{BoxFuture, Host};
use crate::sys::descriptors::Descriptor;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// A process that waits for its hello. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) process: Guard,
    pub(crate) control: Descriptor,
    pub(crate) lifeline: Descriptor,
    /// What goes with the hello: the worker's end of the lifeline first.
    pub(crate) descriptors: Vec<Descriptor>,
}

/// Kills the process unless it has ended.
#[derive(Debug)]
pub(crate) struct Guard(pub(crate) Arc<Process>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// A way to start workers.
pub trait Launcher: fmt::Debug + Send + Sync + sealed::Sealed {
    #[doc(hidden)]
    fn launch(&self, host: &Host) -> BoxFuture<io::Result<sealed::Started>>;

    /// For the end of a context, when it has no worker left: ends what it keeps running to start workers with.
    #[doc(hidden)]
    fn close(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }

    /// For the end of the program: ends what it keeps running to start workers with. Blocks, until the deadline.
    #[doc(hidden)]
    fn end(&self, deadline: Instant) {
        let _ = deadline;
    }
}

pub(crate) mod sealed {
    #[derive(Debug)]
    pub struct Started(pub(crate) super::Launched);
    pub trait Sealed {}
}

/// Runs a launch that blocks where that does no harm.
pub(crate) fn start_elsewhere(
    host: &Host,
    launch: fn() -> io::Result<Launched>,
) -> BoxFuture<io::Result<sealed::Started>> {
    let (sender, receiver) = async_channel::bounded(1);
    host.current().unblock(Box::new(move || {
        // If nobody waits any more, the guard inside ends what was started.
        let _ = sender.try_send(launch());
    }));
    Box::pin(async move {
        match receiver.recv().await {
            Ok(started) => started.map(sealed::Started),
            Err(_) => Err(io::Error::other("the async runtime shut down before it could start the worker")),
        }
    })
}
