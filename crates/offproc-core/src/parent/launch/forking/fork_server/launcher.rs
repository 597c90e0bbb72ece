//! The launcher of fork servers' workers.

use super::server::ForkError;
use super::server_cell::ServerCell;
use crate::error::BrokenWorkerError;
use crate::parent::background;
use crate::parent::launch::launcher::{Launcher, sealed};
use crate::parent::runtime::{BoxFuture, RuntimeSelector};
use crate::parent::timer::sleep;
use crate::settings::Settings;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long after a start the spare is forked, so that this does not compete with the first job.
const LEISURE: Duration = Duration::from_millis(1);

/// [`WorkerType::ForkServer`](crate::WorkerType::ForkServer).
#[derive(Debug)]
pub(crate) struct ForkServerLauncher {
    settings: Arc<Settings>,
    server: Arc<ServerCell>,
}

impl ForkServerLauncher {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), server: Arc::new(ServerCell::new()) }
    }
}

impl sealed::Sealed for ForkServerLauncher {}

impl Launcher for ForkServerLauncher {
    fn launch(
        &self,
        _settings: &Arc<Settings>,
        runtime: &RuntimeSelector,
        timeout: Duration,
    ) -> BoxFuture<io::Result<sealed::Started>> {
        let (cell, settings, runtime) = (Arc::clone(&self.server), Arc::clone(&self.settings), runtime.clone());
        Box::pin(async move {
            let server = cell.get_or_start(&settings, &runtime).await?;
            let launched = match server.launch(timeout).await {
                // Replaces a server that has died. If the new one dies at once, that is an error.
                Err(ForkError::ServerGone) => {
                    cell.discard(&server).await;
                    cell.get_or_start(&settings, &runtime).await?.launch(timeout).await
                }
                launched => launched,
            };
            Ok(sealed::Started(launched?))
        })
    }

    fn prepare(&self) {
        let Some(server) = self.server.running().filter(|server| server.spare.begin()) else { return };
        background::spawn_background(async move {
            sleep(LEISURE).await;
            // If it cannot be forked, the next try comes after the next start.
            let launched = server.fork().await.ok();
            server.spare.end(launched);
        });
    }

    fn close(&self, mut grace: BoxFuture<()>) -> BoxFuture<Option<BrokenWorkerError>> {
        let cell = Arc::clone(&self.server);
        Box::pin(async move {
            let _changes = cell.lock_changes().await;
            let servers = cell.take_retired_and_current();
            servers.iter().for_each(|server| server.request_shutdown());
            let mut is_over = false;
            let mut unclean: Option<BrokenWorkerError> = None;
            for server in servers {
                let rest = async {
                    if !is_over {
                        grace.as_mut().await;
                        is_over = true;
                    }
                };
                let end = server.worker.process().wait_or_kill_overdue(rest).await;
                match (&mut unclean, end) {
                    (Some(unclean), Some(end)) => unclean.merge(end),
                    (unclean, end) => *unclean = unclean.take().or(end),
                }
            }
            unclean
        })
    }

    fn end(&self, deadline: Instant) {
        let servers = self.server.take_all();
        servers.iter().for_each(|server| server.request_shutdown());
        servers.iter().for_each(|server| server.worker.process().wait_or_kill(deadline));
    }
}
