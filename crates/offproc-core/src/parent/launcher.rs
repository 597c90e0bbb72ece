//! The launcher seam: how a worker process comes to be.

use super::process::Process;
use super::runtime::{BoxFuture, Host};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A process that waits for its hello. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) process: Guard,
    pub(crate) control: OwnedFd,
    pub(crate) lifeline: OwnedFd,
    /// The worker's end of the lifeline, to be sent with the hello.
    pub(crate) worker_lifeline: OwnedFd,
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
}

pub(crate) mod sealed {
    #[derive(Debug)]
    pub struct Started(pub(crate) super::Launched);
    pub trait Sealed {}
}
