//! A thread that flushes standard streams, as another may hold their locks for ever.

use super::thread;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// How long an answer waits for a lock that another thread holds.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// Set here, as std would otherwise read an environment variable for it, under a lock.
pub(super) const STACK: usize = 128 << 10;

/// The thread, once it was needed.
pub(super) struct Flusher {
    flush_here: fn(),
    thread: Option<(SyncSender<()>, Receiver<()>)>,
    is_late: bool,
}

impl Flusher {
    pub(super) const fn new(flush_here: fn()) -> Self {
        Self { flush_here, thread: None, is_late: false }
    }

    pub(super) fn has_started(&self) -> bool {
        self.thread.is_some()
    }

    /// Starts the thread, if it can be started.
    pub(super) fn start(&mut self) {
        let _ = self.ensure();
    }

    fn ensure(&mut self) -> Option<&(SyncSender<()>, Receiver<()>)> {
        if self.thread.is_none() {
            let (request, requests) = sync_channel(1);
            let (done, is_done) = sync_channel(1);
            let flush_here = self.flush_here;
            let serve = move || {
                while requests.recv().is_ok() {
                    flush_here();
                    if done.send(()).is_err() {
                        return;
                    }
                }
            };
            thread::start("offproc-flush", Some(STACK), serve).ok()?;
            self.thread = Some((request, is_done));
        }
        self.thread.as_ref()
    }

    /// False if another thread holds a lock for too long: then the output comes later. Only one job waits for a late
    /// thread: the next one does not wait for it again.
    pub(super) fn flush(&mut self) -> bool {
        let was_late = self.is_late;
        let Some((request, is_done)) = self.ensure() else { return false };
        if was_late && is_done.try_recv() == Err(TryRecvError::Empty) {
            return false;
        }
        let in_time = request.send(()).is_ok() && is_done.recv_timeout(PATIENCE).is_ok();
        self.is_late = !in_time;
        in_time
    }
}
