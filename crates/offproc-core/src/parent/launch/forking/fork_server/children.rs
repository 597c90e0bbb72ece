//! The workers whose ends a fork server reports.

use crate::job::codec;
use crate::parent::process::supervised::Process;
use crate::sys::discard::{discard, receive_with};
use crate::sys::fork_registry::TrackedSocket;
use crate::sys::socket::Blocking;
use crate::wire::fork_server::{Ended, MESSAGE, unpack};
use crate::wire::frame::Kind;
use async_io::Async;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The child table: the workers that a fork server was asked for, and whose ends it has not reported yet, by number.
#[derive(Debug, Default)]
pub(super) struct ChildTable {
    children: Mutex<Children>,
}

#[derive(Debug, Default)]
struct Children {
    last_id: u64,
    processes: HashMap<u64, Arc<Process>>,
}

impl ChildTable {
    fn lock(&self) -> MutexGuard<'_, Children> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a worker that will be requested; its entry is removed again unless it is committed.
    pub(super) fn enter(&self) -> (Arc<Process>, PendingChild<'_>) {
        let process = Process::announced();
        let mut children = self.lock();
        children.last_id += 1;
        let id = children.last_id;
        children.processes.insert(id, Arc::clone(&process));
        (process, PendingChild { table: Some(self), id })
    }

    fn ended(&self, ended: Ended) {
        let process = self.lock().processes.remove(&ended.id);
        if let Some(process) = process {
            process.record_end(ended.reaped);
        }
    }

    /// The server has ended: the background thread now sees the ends of its workers by their pidfds.
    pub(super) fn orphaned(&self) {
        let left = std::mem::take(&mut self.lock().processes);
        for process in left.into_values() {
            process.wait_here();
        }
    }
}

/// The entry of a request that was not sent yet.
#[must_use = "its drop takes the worker out of the table"]
pub(super) struct PendingChild<'a> {
    // `None` once the request was sent.
    table: Option<&'a ChildTable>,
    id: u64,
}

impl PendingChild<'_> {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The request was sent: from here on the server reports how the worker ends.
    pub(super) fn commit(mut self) {
        self.table = None;
    }
}

impl Drop for PendingChild<'_> {
    fn drop(&mut self) {
        if let Some(table) = self.table {
            table.ended(Ended { id: self.id, reaped: None });
        }
    }
}

/// Receives the ends of workers, until the server itself has ended.
pub(super) async fn listen(requests: Arc<Async<TrackedSocket>>, children: Arc<ChildTable>) {
    let (mut buffer, mut unasked) = ([0; MESSAGE], Vec::new());
    loop {
        let received = requests.read_with(|fd| Ok(receive_with(fd, &mut buffer, &mut unasked, Blocking::No)?)).await;
        discard(unasked.drain(..));
        match received {
            Ok(0) => break,
            Ok(count) => match unpack(&buffer[..count]).map(|frame| (frame.kind, codec::decode(frame.body()))) {
                Some((Kind::Ended, Ok(ended))) => children.ended(ended),
                _ => break,
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    children.orphaned();
}
