//! The two sides, as the models drive them: what `parent/worker.rs` and `worker/job_loop.rs` do with the ends of a
//! channel.

use crate::job::attachments::Incoming;
use crate::job::exchange::ResultRoom;
use crate::job::message::Answer;
use crate::kernel::{Shared, Trigger};
use crate::parent::channel::event::{Awaited, ChannelEvent, RetireDecision};
use crate::parent::channel::parent_channel::{Encoded, ParentChannel};
use crate::parent::channel::shm::ParentShm;
use crate::parent::channel::stream::ParentStream;
use crate::parent::channel::{continue_from, length, submit};
use crate::parent::runtime::RuntimeSelector;
use crate::sync::Ordering;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::shared_memory::{SharedFutex, SharedMemory};
use crate::wire::frame::Kind;
use crate::wire::shm::slot::next_seq;
use crate::wire::writer::Writer;
use crate::worker::channel::shm::WorkerShm;
use crate::worker::channel::stream::WorkerStream;
use crate::worker::channel::worker_channel::{Next, Sent, WorkerChannel};
use loom::future::block_on;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: usize = 1;

/// The byte of a job: of its number as much as fits.
fn job(seq: u32) -> u8 {
    (seq as u8) << 1
}

fn answer(job: u8) -> u8 {
    job + 1
}

/// How a worker's wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Idle,
}

#[derive(Debug)]
pub(crate) struct Worker {
    channel: WorkerShm,
    incoming: Incoming,
    /// How many jobs it ran.
    pub(crate) ran: usize,
}

impl Worker {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        // Nothing is written to it: `ring` is part of the model.
        let doorbell = std::fs::File::open("/dev/null").expect("there is one").into();
        let channel = WorkerShm::new(SharedMemory(Arc::clone(shared)), doorbell, WorkerStream, Duration::ZERO);
        Self { channel, incoming: Incoming::default(), ran: 0 }
    }

    /// Waits for the next job, runs it and answers; or the end.
    fn run_one(&mut self) -> Option<End> {
        let body = match self.channel.next(Some(Duration::MAX), &mut self.incoming).expect("the memory is sound") {
            Next::Job(body) => body,
            Next::NoMemory(reason) => panic!("{reason}"),
            Next::Closed => return Some(End::Closed),
            Next::Idle => return Some(End::Idle),
        };
        // SAFETY: valid until the answer is begun. Loom has checked that no side writes to it now.
        let job = unsafe { (&*body)[0] };
        let written = self.channel.begin(LIMIT).expect("there is room").write(answer(job));
        let outgoing = self.channel.outgoing(&mut self.incoming);
        let sent = self.channel.answer(Kind::Done, written, &outgoing).expect("nothing goes with it");
        assert!(matches!(sent, Sent::Whole));
        self.ran += 1;
        None
    }

    /// `job_loop` in `worker/job_loop.rs`, without decisions. How it ended.
    pub(crate) fn serve(&mut self) -> End {
        loop {
            if let Some(end) = self.run_one() {
                return end;
            }
        }
    }

    /// `job_loop` in `worker/job_loop.rs`, of a worker that retires after so many jobs.
    pub(crate) fn serve_and_retire(&mut self, jobs: usize) -> End {
        loop {
            if let Some(end) = self.run_one() {
                return end;
            }
            let leaves = self.ran == jobs;
            self.channel.send_decision(!leaves).expect("the doorbell can be rung");
            if leaves {
                return End::Idle;
            }
        }
    }

    /// Until it has been reminded of so much; then its time is up.
    pub(crate) fn wait_for_reminders(&mut self, count: u32) {
        self.incoming.until(count);
        assert_eq!(self.run_one(), Some(End::Idle), "there is no job for it");
        assert_eq!(self.incoming.forgot, count);
    }
}

#[derive(Debug)]
pub(crate) struct Parent {
    shared: Arc<Shared>,
    channel: ParentShm,
    runtime: RuntimeSelector,
    pub(crate) seq: u32,
}

impl Parent {
    pub(crate) fn new(shared: &Arc<Shared>, trigger: Trigger) -> Self {
        let memory = SharedMemory(Arc::clone(shared));
        let channel = ParentShm::new(memory, TrackedFd, ParentStream, LIMIT, true);
        Self { shared: Arc::clone(shared), channel, runtime: RuntimeSelector { trigger, runtime: 0 }, seq: 0 }
    }

    /// Hands over the next job. False when the worker has left.
    pub(crate) fn post(&mut self) -> bool {
        let seq = next_seq(self.seq);
        let job = self.encode(seq);
        let (submitted, is_submitted) = submit(&mut self.channel, job);
        assert_eq!(submitted, seq);
        is_submitted
    }

    /// Hands over the first job under a number of choice.
    pub(crate) fn post_as(&mut self, seq: u32) -> bool {
        let job = self.encode(seq);
        let slot = &self.shared.slot;
        slot.parent.length.store(length(&job) as u64, Ordering::Relaxed);
        let is_posted = slot.publish_job(0, seq, &SharedFutex::ENDLESS);
        continue_from(&mut self.channel, seq);
        is_posted
    }

    fn encode(&mut self, seq: u32) -> Encoded {
        self.seq = seq;
        if self.runtime.trigger == Trigger::EdgeAnew {
            self.runtime.runtime += 1;
        }
        let mut write = |writer: &mut Writer<'_>| {
            writer.write(job(seq));
            Ok(())
        };
        self.channel.encode(LIMIT, &mut write).expect("there is room")
    }

    fn event(&mut self, awaited: Awaited) -> ChannelEvent {
        let (channel, runtime) = (&mut self.channel, &self.runtime);
        block_on(poll_fn(|cx| channel.poll_event(awaited, cx, runtime)))
    }

    /// Waits for the answer.
    pub(crate) fn answer(&mut self) {
        match self.event(Awaited::Answer) {
            ChannelEvent::Answer(answer) => self.check(&answer),
            other => panic!("{other:?} is no answer"),
        }
    }

    fn check(&self, Answer { frame }: &Answer) {
        assert_eq!((frame.kind, frame.body.as_slice()), (Kind::Done, [answer(job(self.seq))].as_slice()));
        assert!(self.shared.slot.is_taken(self.seq), "answered, and not taken");
    }

    /// Waits for what the worker says after the answer: whether it stays.
    pub(crate) fn decision(&mut self) -> bool {
        match self.event(Awaited::Decision) {
            ChannelEvent::Decision(decision) => decision == RetireDecision::Stays,
            other => panic!("{other:?} is no decision"),
        }
    }

    pub(crate) fn request_shutdown(&mut self) {
        self.channel.request_shutdown();
    }

    /// What is known of the job of a worker that has ended: whether it was taken. What was taken is answered, as no
    /// worker of these models dies in a job.
    pub(crate) fn was_taken(&mut self) -> bool {
        match self.channel.after_exit(Awaited::Answer) {
            ChannelEvent::Answer(answer) => {
                self.check(&answer);
                true
            }
            ChannelEvent::NotTaken => false,
            other => panic!("taken, and not answered: {other:?}"),
        }
    }
}
