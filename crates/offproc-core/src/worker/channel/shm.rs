//! The worker's channel over shared memory: it reads jobs, and writes answers, in memory that the parent sees.

use super::stream::WorkerStream;
use super::worker_channel::{Next, Sent, WorkerChannel, no_memory};
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::exchange::ResultRoom;
use crate::sys::fork;
use crate::sys::gifts::Gift;
use crate::sys::shared_memory::{SharedFutex, SharedMemory, ring};
use crate::wire::frame::Kind;
use crate::wire::shm::slot::{CONTENDED, Found};
use crate::wire::writer::Writer;
use crate::worker::cpu_placement::CpuPlacement;
use crate::worker::spin::WorkerSpin;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct WorkerShm {
    memory: SharedMemory,
    doorbell: Gift,
    // The stream for descriptors, beside the memory.
    stream: WorkerStream,
    seq: u32,
    spin: WorkerSpin,
    placement: CpuPlacement,
}

impl WorkerShm {
    pub(crate) fn new(memory: SharedMemory, doorbell: Gift, stream: WorkerStream, spin: Duration) -> Self {
        Self { memory, doorbell, stream, seq: 0, spin: WorkerSpin::new(spin), placement: CpuPlacement::new() }
    }

    /// Unmaps buffers that the program has dropped.
    fn forget(&self, incoming: &mut Incoming) {
        incoming.evict(self.memory.words().forgotten().take());
    }

    /// Spins for the next job, and then sleeps.
    fn find(&mut self, futex: &SharedFutex) -> Found {
        let slot = self.memory.slot();
        match self.spin.until(|| slot.look(self.seq), || slot.set_idle()) {
            Some(found) => found,
            None => {
                slot.set_idle();
                let found = slot.sleep(self.seq, futex);
                self.spin.woken();
                found
            }
        }
    }
}

impl ResultRoom for WorkerShm {
    fn outgoing(&self, incoming: &mut Incoming) -> Outgoing {
        Outgoing::up(incoming)
    }

    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        fork::end_if_copy();
        let most = self.memory.most();
        Writer::new(&mut self.memory, 0, limit.min(most))
    }

    fn resume(&mut self, written: usize, more: usize) -> io::Result<Writer<'_>> {
        fork::end_if_copy();
        let most = self.memory.most();
        Writer::new(&mut self.memory, written, written.saturating_add(more).min(most))
    }

    fn publish(&mut self, written: usize) -> io::Result<usize> {
        fork::end_if_copy();
        self.memory.slot().worker.published.store(written as u64, Ordering::Release);
        Ok(written)
    }

    fn is_withdrawn(&mut self) -> bool {
        self.memory.slot().parent.withdrawn.load(Ordering::Relaxed) == self.seq
    }
}

impl WorkerChannel for WorkerShm {
    fn next(&mut self, patience: Option<Duration>, incoming: &mut Incoming) -> io::Result<Next> {
        self.memory.unmap_excess();
        let futex = SharedFutex::within(patience);
        let seq = loop {
            match self.find(&futex) {
                Found::Job(seq) => break seq,
                Found::Reminder(word) => {
                    self.seq = word;
                    self.forget(incoming);
                }
                Found::Closed => return Ok(Next::Closed),
                Found::Idle => return Ok(Next::Idle),
            }
        };
        self.seq = seq;
        if self.memory.slot().parent.descriptors.load(Ordering::Acquire) != 0 {
            self.stream.receive_attached(incoming)?;
            // A job may have come before this side saw the reminder.
            self.forget(incoming);
        } else {
            incoming.put(Vec::new());
        }
        let length = self.memory.slot().parent.length.load(Ordering::Acquire);
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
        match self.memory.data(length) {
            Ok(data) => Ok(Next::Job(data)),
            Err(e) if e.kind() == io::ErrorKind::OutOfMemory => Ok(Next::NoMemory(no_memory(length))),
            Err(e) => Err(e),
        }
    }

    fn as_result_room(&mut self) -> &mut dyn ResultRoom {
        self
    }

    fn answer(&mut self, kind: Kind, written: usize, outgoing: &Outgoing) -> io::Result<Sent> {
        if !outgoing.is_empty() {
            let sent = self.stream.send_attached(outgoing)?;
            if matches!(sent, Sent::Refused(_)) {
                return Ok(sent);
            }
        }
        let slot = self.memory.slot();
        slot.worker.kind.store(kind as u32, Ordering::Relaxed);
        slot.worker.descriptors.store(u32::from(!outgoing.is_empty()), Ordering::Relaxed);
        slot.worker.length.store(written as u64, Ordering::Relaxed);
        let hints = if self.spin.is_contended() { CONTENDED } else { 0 };
        slot.worker.hints.store(hints, Ordering::Relaxed);
        if slot.publish_answer(self.seq) {
            ring(&self.doorbell)?;
            self.placement.rang(slot.parent.cpu.load(Ordering::Relaxed), self.spin.is_contended());
        } else {
            self.placement.seen();
        }
        Ok(Sent::Whole)
    }

    fn send_decision(&mut self, stays: bool) -> io::Result<()> {
        fork::end_if_copy();
        let slot = self.memory.slot();
        // There is no job to lose: the parent sends none before it has the decision.
        let leaves = !stays && slot.leave(self.seq);
        if slot.publish_decision(self.seq, !leaves) { ring(&self.doorbell) } else { Ok(()) }
    }

    /// The memory outlives this process.
    fn linger(&mut self) {}
}
