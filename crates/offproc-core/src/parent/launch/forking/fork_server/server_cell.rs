//! A context's fork server: started when one is needed, replaced when it has ended or has other rights.

use super::server::ForkServer;
use crate::error::Error;
use crate::parent::launch::async_mutex::{AsyncMutex, AsyncMutexGuard};
use crate::parent::runtime::RuntimeSelector;
use crate::settings::Settings;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct ServerCell {
    /// Held by the task that may start or replace the server.
    changes: AsyncMutex,
    /// The server, if it runs: for callers that cannot wait for `changes`.
    running: Mutex<Option<Arc<ForkServer>>>,
    failures: Mutex<Failures>,
    /// Servers that fork no more, and wait for the ends of their workers.
    retired: Mutex<Vec<Arc<ForkServer>>>,
}

/// How often a fork server could not be started, and the last error.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    last: Option<Arc<io::Error>>,
}

/// The same error for one more waiter.
fn share(error: &Arc<io::Error>) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), Arc::clone(error)),
    }
}

impl ServerCell {
    pub(super) fn new() -> Self {
        Self {
            changes: AsyncMutex::new(),
            running: Mutex::default(),
            failures: Mutex::default(),
            retired: Mutex::default(),
        }
    }

    fn lock_running(&self) -> MutexGuard<'_, Option<Arc<ForkServer>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_retired(&self) -> MutexGuard<'_, Vec<Arc<ForkServer>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the guard is dropped, the server stays the same.
    pub(super) async fn lock_changes(&self) -> AsyncMutexGuard<'_> {
        self.changes.lock().await
    }

    /// The server, if there is one; it may have ended.
    pub(super) fn running(&self) -> Option<Arc<ForkServer>> {
        self.lock_running().clone()
    }

    /// The server, unless it has ended.
    fn current(&self) -> Option<Arc<ForkServer>> {
        self.running().filter(|server| !server.worker.is_retired())
    }

    /// All servers that leave with the context: those that were retired and have not ended, and the current one.
    pub(super) fn take_retired_and_current(&self) -> Vec<Arc<ForkServer>> {
        let mut servers = std::mem::take(&mut *self.lock_retired());
        servers.retain(|server| !server.worker.is_gone());
        servers.extend(self.current());
        servers
    }

    /// The same for the end of the program, after which there is no server.
    pub(super) fn take_all(&self) -> Vec<Arc<ForkServer>> {
        let running = self.lock_running().take();
        let mut servers = std::mem::take(&mut *self.lock_retired());
        servers.retain(|server| !server.worker.is_gone());
        servers.extend(running);
        servers
    }

    /// Stops using the server, which could not fork as it has ended or is leaving.
    pub(super) async fn discard(&self, server: &Arc<ForkServer>) {
        if !server.worker.process().is_leaving() {
            server.worker.kill();
        }
        let _changes = self.lock_changes().await;
        self.lock_running().take_if(|current| Arc::ptr_eq(current, server));
    }

    /// The server, started if need be. Other starts wait meanwhile, and if it fails, they get the same error.
    pub(super) async fn get_or_start(
        &self,
        settings: &Arc<Settings>,
        runtime: &RuntimeSelector,
    ) -> io::Result<Arc<ForkServer>> {
        let failures = self.lock_failures().count;
        let _changes = self.lock_changes().await;
        if let Some(server) = self.current() {
            if server.worker.has_our_rights() {
                return Ok(server);
            }
            // Its workers would not have the program's present rights.
            server.retire();
            self.lock_running().take();
            let mut retired = self.lock_retired();
            retired.retain(|server| !server.worker.is_gone());
            retired.push(server);
        }
        match &*self.lock_failures() {
            Failures { count, last: Some(error) } if *count != failures => return Err(share(error)),
            _ => {}
        }
        let server = ForkServer::start(settings, runtime).await.map_err(|e| self.note_failure(e))?;
        *self.lock_running() = Some(Arc::clone(&server));
        Ok(server)
    }

    fn note_failure(&self, error: Error) -> io::Error {
        let error = Arc::new(match error {
            Error::Spawn(e) if e.raw_os_error().is_some() => e,
            Error::Spawn(e) => io::Error::new(e.kind(), format!("the fork server could not be started: {e}")),
            e => io::Error::other(format!("the fork server could not be started: {e}")),
        });
        let mut failures = self.lock_failures();
        (failures.count, failures.last) = (failures.count + 1, Some(Arc::clone(&error)));
        share(&error)
    }
}
