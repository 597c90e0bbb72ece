//! One running fork server.

use super::children::{ChildTable, listen};
use super::spare::SpareSlot;
use crate::error::Error;
use crate::parent::background;
use crate::parent::handshake::handshake;
use crate::parent::hello;
use crate::parent::launch::heritage::Heritage;
use crate::parent::launch::launcher::{KillGuard, Launched, Launcher, Pairs, in_time};
use crate::parent::launch::permit::LaunchPermit;
use crate::parent::launch::spawn::Spawn;
use crate::parent::runtime::RuntimeSelector;
use crate::parent::start_failure::StartFailure;
use crate::parent::worker::Worker;
use crate::settings::Settings;
use crate::sys::fork_registry::TrackedSocket;
use crate::sys::gifts::send_with;
use crate::sys::pairs;
use crate::sys::socket::{self, Blocking};
use crate::wire::fork_server::{ForkRequest, pack};
use crate::wire::frame::Kind;
use async_io::Async;
use rustix::io::Errno;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A running fork server. Dropping it kills it.
#[derive(Debug)]
pub(super) struct ForkServer {
    pub(super) worker: Worker,
    pub(super) spare: SpareSlot,
    heritage: Arc<Heritage>,
    // One registration for all: for starts that wait for room, and for the task that listens for ends.
    requests: Arc<Async<TrackedSocket>>,
    children: Arc<ChildTable>,
}

/// Why a fork server has not forked a worker.
#[derive(Debug)]
pub(super) enum ForkError {
    /// The server has ended, or forks no more.
    ServerGone,
    Failed(io::Error),
}

impl From<io::Error> for ForkError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ForkError> for io::Error {
    fn from(error: ForkError) -> Self {
        match error {
            ForkError::ServerGone => Errno::PIPE.into(),
            ForkError::Failed(error) => error,
        }
    }
}

impl ForkServer {
    pub(super) async fn start(settings: &Arc<Settings>, runtime: &RuntimeSelector) -> Result<Arc<Self>, Error> {
        let hello = hello::of_fork_server(settings).map_err(|reason| Error::Spawn(io::Error::other(reason)))?;
        let (requests, server_requests) = pairs::message_pair().map_err(Error::Spawn)?;
        let heritage = Arc::new(Heritage::now());
        let timeout = settings.start.start_timeout;
        let mut launched = Spawn.launch(settings, runtime, timeout).await.map_err(Error::Spawn)?.0;
        launched.gifts.push(server_requests);
        let pending = handshake(launched, hello, settings, runtime).await.map_err(StartFailure::into_error)?;
        let worker = pending.into_fork_server(settings);
        let requests = Arc::new(Async::new_nonblocking(requests).map_err(Error::Spawn)?);
        let (children, spare) = (Arc::default(), SpareSlot::default());
        background::spawn_background(listen(Arc::clone(&requests), Arc::clone(&children)));
        Ok(Arc::new(Self { worker, spare, heritage, requests, children }))
    }

    /// Asks it to leave.
    pub(super) fn request_shutdown(&self) {
        self.worker.process().set_leaving();
        self.spare.close();
        socket::shut_down(self.requests.get_ref());
    }

    /// Makes it fork no more. It leaves once its workers have ended, and reports their ends until then.
    pub(super) fn retire(&self) {
        self.worker.process().set_leaving();
        self.spare.close();
        socket::shut_down_sending(self.requests.get_ref());
    }

    /// The spare, or a new worker.
    pub(super) async fn launch(&self, timeout: Duration) -> Result<Launched, ForkError> {
        let permit = LaunchPermit::take().await;
        let launched = match self.spare.take() {
            Some(spare) => Launched { is_spare: true, ..spare },
            None => in_time(timeout, self.fork()).await?,
        };
        Ok(Launched { permit: Some(permit), ..launched })
    }

    /// Requests a worker. It may not have been forked yet when this returns.
    pub(super) async fn fork(&self) -> Result<Launched, ForkError> {
        let Pairs { control, worker_control, lifeline, worker_lifeline } = Pairs::open()?;
        // Enter it before the request is sent: its end may come at any moment after.
        let (process, pending) = self.children.enter();
        let rights = self.worker.rights();
        let launched = Launched {
            heritage: Some(Arc::clone(&self.heritage)),
            ..Launched::new(KillGuard(process), control, lifeline, worker_lifeline, rights)
        };
        self.request(ForkRequest { id: pending.id() }, worker_control).await?;
        pending.commit();
        if self.worker.is_retired() {
            // The server has died meanwhile, perhaps after this worker was entered and before the table was emptied.
            self.children.orphaned();
        }
        Ok(launched)
    }

    async fn request(&self, fork: ForkRequest, control: TrackedSocket) -> Result<(), ForkError> {
        let message = pack(Kind::ForkRequest, &fork);
        let descriptors = [control];
        loop {
            match send_with(self.requests.get_ref(), &message, &descriptors, Blocking::No) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                // There are more requests than the socket takes.
                Err(Errno::AGAIN) => self.requests.writable().await?,
                Err(Errno::CONNRESET | Errno::PIPE) => return Err(ForkError::ServerGone),
                Err(e) => return Err(ForkError::Failed(e.into())),
            }
        }
    }
}
