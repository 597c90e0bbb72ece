//! The launcher seam: how a worker process comes to be.

use super::process::Process;
use super::runtime::{BoxFuture, Host};
use super::turn::Turn;
use crate::error::BrokenWorkerError;
use crate::sys::descriptors::{self, Descriptor};
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
    /// Until it has introduced itself.
    pub(crate) turn: Option<Turn>,
}

/// The connections of a new worker.
pub(crate) struct Pairs {
    pub(crate) control: Descriptor,
    pub(crate) worker_control: Descriptor,
    pub(crate) lifeline: Descriptor,
    pub(crate) worker_lifeline: Descriptor,
}

impl Pairs {
    pub(crate) fn open() -> io::Result<Self> {
        let (control, worker_control) = descriptors::pair()?;
        let (lifeline, worker_lifeline) = descriptors::pair()?;
        Ok(Self { control, worker_control, lifeline, worker_lifeline })
    }
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

    /// A worker has been started: gets ready for the next start, where that can be done ahead.
    #[doc(hidden)]
    fn prepare(&self) {}

    /// For the end of a context, when it has no worker left: ends what it keeps running to start workers with, past
    /// the grace period by force. The error tells of what did not end cleanly.
    #[doc(hidden)]
    fn close(&self, grace: BoxFuture<()>) -> BoxFuture<Option<BrokenWorkerError>> {
        drop(grace);
        Box::pin(std::future::ready(None))
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
    let host = host.clone();
    Box::pin(async move {
        let turn = Turn::take(&host).await;
        let (sender, receiver) = async_channel::bounded(1);
        host.current().unblock(Box::new(move || {
            // If nobody waits any more, the guard inside ends what was started.
            let _ = sender.try_send(launch());
        }));
        match receiver.recv().await {
            Ok(started) => Ok(sealed::Started(Launched { turn: Some(turn), ..started? })),
            Err(_) => Err(io::Error::other("the async runtime shut down before it could start the worker")),
        }
    })
}
