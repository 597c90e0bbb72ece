//! A fake worker, without a process.

use super::super::{PooledWorker, WorkerLedger};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};

/// A worker.
#[derive(Debug)]
pub(super) struct Worker(pub(super) Arc<Process>);

#[derive(Debug, Default)]
pub(super) struct Process {
    serial: u64,
    /// It is about to end.
    pub(super) ends: AtomicBool,
    ended: Mutex<Option<FakeEnd>>,
    reaped: AtomicBool,
    pub(super) has_job: AtomicBool,
    reported: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FakeEnd {
    Clean,
    Unclean,
}

/// A number of unclean ends.
pub(super) type Unclean = usize;

impl Process {
    fn report_once(&self, end: FakeEnd) -> Option<Unclean> {
        let is_unclean = end == FakeEnd::Unclean && !self.has_job.load(Ordering::SeqCst);
        (is_unclean && !self.reported.swap(true, Ordering::SeqCst)).then_some(1)
    }

    fn unreported_end(&self) -> Option<Unclean> {
        let ended = *self.ended.lock().unwrap();
        ended.and_then(|end| self.report_once(end))
    }

    /// The background thread has reaped it.
    pub(super) fn record_end(&self, ledger: &WorkerLedger<Worker>, end: FakeEnd) {
        *self.ended.lock().unwrap() = Some(end);
        let unclean = self.report_once(end);
        ledger.ended(self.serial, unclean);
        self.reaped.store(true, Ordering::SeqCst);
    }
}

impl PooledWorker for Worker {
    type Process = Arc<Process>;
    type Unclean = Unclean;

    fn serial(&self) -> u64 {
        self.0.serial
    }

    fn process(&self) -> Arc<Process> {
        self.0.clone()
    }

    fn is_retired(&self) -> bool {
        self.0.reaped.load(Ordering::SeqCst)
    }

    fn is_decision_overdue(&self) -> bool {
        false
    }

    fn unreported_end(process: &Arc<Process>) -> Option<Unclean> {
        process.unreported_end()
    }

    fn correct(&mut self, _: &mut Unclean) {}

    fn merge(noted: &mut Unclean, more: Unclean) {
        *noted += more;
    }
}

impl Worker {
    pub(super) fn new(serial: u64) -> Self {
        Self(Arc::new(Process { serial, ..Process::default() }))
    }

    pub(super) fn post(&self) {
        assert!(!self.0.has_job.swap(true, Ordering::SeqCst), "it has another's job");
    }
}
