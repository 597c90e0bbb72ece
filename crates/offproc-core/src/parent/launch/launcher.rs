//! The launcher seam: it starts a worker process.

use super::heritage::Heritage;
use super::oneshot::oneshot;
use super::permit::LaunchPermit;
use crate::error::BrokenWorkerError;
use crate::parent::link::Link;
use crate::parent::process::diagnostics::ExitDiagnostics;
use crate::parent::process::supervised::Process;
use crate::parent::runtime::{BoxFuture, RuntimeSelector};
use crate::parent::timer::sleep;
use crate::settings::Settings;
use crate::sys::fork_registry::{TrackedGift, TrackedSocket};
use crate::sys::lifeline::{self, ParentEnd, WorkerEnd};
use crate::sys::rights::Rights;
use crate::sys::scheduling::Scheduling;
use crate::sys::spawn::on_a_passing_thread;
use crate::sys::{pairs, thread};
use futures_lite::future;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A process that waits for its hello. Dropping this kills it.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) process: KillGuard,
    pub(crate) control: TrackedSocket,
    pub(crate) lifeline: ParentEnd,
    /// What goes along with the hello: first the worker's end of the lifeline.
    pub(crate) gifts: Vec<TrackedGift>,
    /// The rights that it was started with; `None` if they changed meanwhile.
    pub(crate) rights: Option<Arc<Rights>>,
    /// The state of the program that it inherited; `None`: the present one.
    pub(crate) heritage: Option<Arc<Heritage>>,
    /// Of a worker behind a command.
    pub(crate) link: Option<Arc<Link>>,
    /// What may explain its end, if that is there already.
    pub(crate) diagnostics: Option<ExitDiagnostics>,
    /// Held until it has sent its first frame.
    pub(crate) permit: Option<LaunchPermit>,
    /// It was started before the call that takes it, so circumstances may have changed.
    pub(crate) is_spare: bool,
}

impl Launched {
    /// Without a permit, and not a spare.
    pub(crate) fn new(
        process: KillGuard,
        control: TrackedSocket,
        lifeline: ParentEnd,
        worker_lifeline: WorkerEnd,
        rights: Option<Arc<Rights>>,
    ) -> Self {
        process.0.set_lifeline(lifeline.downgrade());
        Self {
            process,
            control,
            lifeline,
            gifts: worker_lifeline.into_gift().into_iter().collect(),
            rights,
            heritage: None,
            link: None,
            diagnostics: None,
            permit: None,
            is_spare: false,
        }
    }

    /// True if it was started with exactly the calling thread's rights.
    pub(crate) fn has_our_rights(&self) -> bool {
        self.rights.as_ref().is_some_and(|rights| rights.are_ours())
    }
}

/// Starts a process with the program's scheduling, not that of the thread that needs it; returns also its rights.
pub(crate) fn with_rights<T: Send>(
    start: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<(T, Option<Arc<Rights>>)> {
    Scheduling::of_program().adopt();
    let rights = Rights::now();
    let started = on_a_passing_thread(start)?;
    // The process may have the rights from before or after a change.
    let is_certain = rights.are_ours();
    Ok((started, is_certain.then(|| Arc::new(rights))))
}

/// The connections of a new worker.
pub(crate) struct Pairs {
    pub(crate) control: TrackedSocket,
    pub(crate) worker_control: TrackedSocket,
    pub(crate) lifeline: ParentEnd,
    pub(crate) worker_lifeline: WorkerEnd,
}

impl Pairs {
    pub(crate) fn open() -> io::Result<Self> {
        let (control, worker_control) = pairs::pair()?;
        let (lifeline, worker_lifeline) = lifeline::pair()?;
        Ok(Self { control, worker_control, lifeline, worker_lifeline })
    }
}

/// Kills the process when dropped, unless it has ended.
#[derive(Debug)]
pub(crate) struct KillGuard(pub(crate) Arc<Process>);

impl Drop for KillGuard {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// A way to start workers.
pub trait Launcher: fmt::Debug + Send + Sync + sealed::Sealed {
    /// `settings` are those of the worker. The timeout does not include waiting for a permit, or for a fork server that
    /// starts.
    #[doc(hidden)]
    fn launch(
        &self,
        settings: &Arc<Settings>,
        runtime: &RuntimeSelector,
        timeout: Duration,
    ) -> BoxFuture<io::Result<sealed::Started>>;

    /// Call this after a start: it prepares the next one, if that can be done ahead.
    #[doc(hidden)]
    fn prepare(&self) {}

    /// For the end of a context, when it has no worker left: ends the processes that it keeps for starting workers,
    /// past the grace period by force. Returns an unclean end.
    #[doc(hidden)]
    fn close(&self, grace: BoxFuture<()>) -> BoxFuture<Option<BrokenWorkerError>> {
        drop(grace);
        Box::pin(std::future::ready(None))
    }

    /// For the end of the program: ends the processes that it keeps for starting workers. Blocks, until the deadline at
    /// most.
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

/// Runs `work` on a thread of its own.
///
/// # Errors
///
/// Those of the work, and that the thread could not be started.
#[doc(hidden)]
pub async fn on_another_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = oneshot();
    thread::start(name, None, move || sender.send(work()))?;
    let panicked = || Err(io::Error::other("a thread panicked; the message is on stderr"));
    receiver.await.unwrap_or_else(panicked)
}

/// Runs a launch that blocks on a thread of its own. The async runtime's threads may all be waiting for this very
/// start.
pub(crate) fn start_elsewhere(
    timeout: Duration,
    launch: impl FnOnce() -> io::Result<Launched> + Send + 'static,
) -> BoxFuture<io::Result<sealed::Started>> {
    Box::pin(async move {
        let permit = LaunchPermit::take().await;
        let (sender, receiver) = oneshot();
        // It keeps the permit even if the waiter is gone, so that no more of these threads start a process than there
        // are permits.
        thread::start("offproc-start", None, move || {
            let launched = launch().map(|launched| Launched { permit: Some(permit), ..launched });
            // If the waiter is gone, the guard inside kills what was started.
            sender.send(launched);
        })?;
        let started = async {
            receiver.await.unwrap_or_else(|| {
                Err(io::Error::other("the thread that launches it panicked; the message is on stderr"))
            })
        };
        in_time(timeout, started).await.map(sealed::Started)
    })
}

/// The result of a launch, unless it takes longer than the start timeout.
pub(crate) async fn in_time<T, E: From<io::Error>>(
    timeout: Duration,
    launch: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let deadline = async {
        sleep(timeout).await;
        Err(E::from(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the worker was not launched within {timeout:?} (the context's `start_timeout`)"),
        )))
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
        let _alone = crate::parent::launch::permit::tests::alone();
        crate::parent::background::ensure().unwrap();
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let launch = || {
            drop(HELD.lock());
            Err(io::ErrorKind::Other.into())
        };
        let started = future::block_on(start_elsewhere(Duration::from_millis(1), launch));
        assert_eq!(started.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(held);
    }
}
