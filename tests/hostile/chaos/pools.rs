//! The contexts and limiters of a round.

use crate::ledger;
use fastrand::Rng;
use offproc::{Limiter, Transport, WorkerContext, WorkerContextBuilder, WorkerType};
use offproc_tests::WorkerKind;
use std::time::Duration;

/// Far more than a start takes on a busy machine.
const START: Duration = Duration::from_secs(600);

const KINDS: [WorkerKind; 3] = [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork];
const TRANSPORTS: [Transport; 2] = [Transport::SharedMemory, Transport::Stream];

#[derive(Debug)]
pub(crate) struct Pools {
    /// One for each kind of worker and transport.
    pub(crate) contexts: Vec<WorkerContext>,
    /// Fewer tokens than there are callers.
    pub(crate) narrow: Limiter,
}

pub(crate) fn builder(kind: WorkerKind, transport: Transport, path: &str) -> WorkerContextBuilder {
    let builder = WorkerContext::builder()
        .transport(transport)
        .start_timeout(START)
        .grace_period(START)
        .max_message_size(4 << 20);
    match kind {
        WorkerKind::Spawn => builder.env(ledger::PATH, path),
        WorkerKind::ForkServer => builder.env(ledger::PATH, path).worker_type(WorkerType::ForkServer),
        // SAFETY: the jobs use the allocator, files and the ledger, and no lock or data of another thread of the test.
        WorkerKind::Fork => builder.worker_type(unsafe { WorkerType::fork() }),
    }
}

impl Pools {
    pub(crate) fn open(path: &str) -> Self {
        let contexts = KINDS.iter().enumerate().flat_map(|(i, kind)| {
            TRANSPORTS.iter().enumerate().map(move |(j, transport)| {
                let builder = builder(*kind, *transport, path);
                // Workers that leave by themselves, in some of them.
                let builder = match (i + j) % 3 {
                    0 => builder,
                    1 => builder.retire_after_jobs(20..=60),
                    _ => builder.idle_timeout(Duration::from_millis(3)),
                };
                builder.open().expect("valid settings")
            })
        });
        Self { contexts: contexts.collect(), narrow: Limiter::new(3) }
    }
}

/// One for a few calls.
pub(crate) fn transient(rng: &mut Rng, path: &str) -> WorkerContextBuilder {
    let kind = KINDS[rng.usize(0..KINDS.len())];
    let builder = builder(kind, TRANSPORTS[rng.usize(0..TRANSPORTS.len())], path);
    match rng.u32(0..6) {
        0 => builder.idle_timeout(Duration::ZERO),
        1 => builder.idle_timeout(Duration::from_micros(rng.u64(0..2_000))),
        2 => builder.retire_after_jobs(1..=1),
        3 => builder.spare_workers(rng.usize(0..3)),
        4 => builder.max_spin(Duration::ZERO),
        _ => builder,
    }
}
