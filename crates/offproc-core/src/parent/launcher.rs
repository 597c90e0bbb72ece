//! The launcher seam: how a worker process comes to be.

use super::process::Process;
use super::runtime::{BoxFuture, Host};
use super::turn::Turn;
use crate::error::BrokenWorkerError;
use crate::sys::descriptors::{self, Descriptor};
use futures_lite::future;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// It was started ahead of the call that takes it, in other circumstances perhaps.
    pub(crate) is_spare: bool,
}

impl Launched {
    /// Without a turn, and for the call that has it started.
    pub(crate) fn new(process: Guard, control: Descriptor, lifeline: Descriptor, worker_lifeline: Descriptor) -> Self {
        Self { process, control, lifeline, descriptors: vec![worker_lifeline], turn: None, is_spare: false }
    }
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
    /// Waiting for a turn, or for a fork server that starts, is not part of the timeout.
    #[doc(hidden)]
    fn launch(&self, host: &Host, timeout: Duration) -> BoxFuture<io::Result<sealed::Started>>;

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

/// Runs a launch that blocks on a thread of its own. Those of the async runtime may all be waiting for this very start.
pub(crate) fn start_elsewhere(
    host: &Host,
    timeout: Duration,
    launch: fn() -> io::Result<Launched>,
) -> BoxFuture<io::Result<sealed::Started>> {
    let host = host.clone();
    Box::pin(async move {
        let turn = Turn::take(&host).await;
        let (sender, receiver) = async_channel::bounded(1);
        // It keeps the turn, whoever still waits: so no more of these threads start something than there are turns.
        std::thread::Builder::new().name("offproc-start".into()).spawn(move || {
            let launched = launch().map(|launched| Launched { turn: Some(turn), ..launched });
            // If nobody waits any more, the guard inside ends what was started.
            let _ = sender.try_send(launched);
        })?;
        let started = async {
            receiver.recv().await.unwrap_or_else(|_| Err(io::Error::other("the thread that was to launch it panicked")))
        };
        in_time(&host, timeout, started).await.map(sealed::Started)
    })
}

/// What a launch comes to, unless it takes longer than a start may.
pub(crate) async fn in_time<T>(
    host: &Host,
    timeout: Duration,
    launch: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let deadline = async {
        host.sleep_really(timeout).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("the worker was not launched within {timeout:?}")))
    };
    future::or(launch, deadline).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    static HELD: Mutex<()> = Mutex::new(());

    #[test]
    fn a_launch_that_does_not_come_back_is_an_error_in_time() {
        let _alone = super::super::turn::tests::alone();
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let launch = || {
            drop(HELD.lock());
            Err(io::ErrorKind::Other.into())
        };
        let started = future::block_on(start_elsewhere(&Host::fallback(), Duration::from_millis(1), launch));
        assert_eq!(started.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(held);
    }
}
