//! The two sides of a connection over shared memory, as `parent/shared.rs` and `worker/shared_port.rs` are.

use crate::kernel::{Bell, Futex, Trigger, Watch};
use crate::sync::Ordering;
use crate::turn::{Found, Turns, next};
use loom::cell::UnsafeCell;
use std::sync::Arc;

/// What both sides map.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) turns: Turns,
    /// Jobs and answers, in one place.
    data: UnsafeCell<u64>,
    pub(crate) futex: Futex,
    bell: Bell,
}

// SAFETY: loom checks each access to the data against all others.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

fn job(turn: u32) -> u64 {
    u64::from(turn) << 8
}

fn answer(turn: u32) -> u64 {
    job(turn) + 1
}

/// How a side waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It looks until it finds something.
    Awake,
    /// It looks so many times, and then sleeps.
    Asleep(usize),
}

impl Wait {
    fn until<T>(self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        match self {
            Self::Awake => loop {
                if let Some(found) = look() {
                    return Some(found);
                }
                loom::thread::yield_now();
            },
            Self::Asleep(looks) => (0..looks).find_map(|_| look()),
        }
    }
}

/// `SharedPort`.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    turn: u32,
    wait: Wait,
    /// The jobs it ran.
    pub(crate) ran: Vec<u32>,
}

impl Worker {
    pub(crate) fn new(shared: &Arc<Shared>, wait: Wait) -> Self {
        Self { shared: Arc::clone(shared), turn: 0, wait, ran: Vec::new() }
    }

    pub(crate) fn next(&mut self) -> Found {
        let turns = &self.shared.turns;
        let found = match self.wait.until(|| turns.look(self.turn)) {
            Some(found) => found,
            None => turns.sleep(self.turn, &self.shared.futex),
        };
        if let Found::Job(turn) = found {
            self.turn = turn;
        }
        found
    }

    /// Runs the job it has found, and answers.
    pub(crate) fn answer(&mut self) {
        let (turns, turn) = (&self.shared.turns, self.turn);
        assert_eq!(turns.down.length.load(Ordering::Acquire), job(turn));
        self.shared.data.with_mut(|data| {
            // SAFETY: loom checks that nobody else is at it.
            let data = unsafe { &mut *data };
            assert_eq!(*data, job(turn), "a job from another turn");
            *data = answer(turn);
        });
        self.ran.push(turn);
        turns.up.kind.store(turn, Ordering::Relaxed);
        turns.up.length.store(answer(turn), Ordering::Relaxed);
        if turns.reply(turn) {
            self.shared.bell.ring();
        }
    }

    pub(crate) fn tell(&mut self, stays: bool) {
        let turns = &self.shared.turns;
        let leaves = !stays && turns.leave(self.turn);
        if turns.tell(self.turn, !leaves) {
            self.shared.bell.ring();
        }
    }

    /// `work` in `worker/serve.rs`, without verdicts. How it ended.
    pub(crate) fn serve(&mut self) -> Found {
        loop {
            match self.next() {
                Found::Job(_) => self.answer(),
                end => return end,
            }
        }
    }

    /// `work` in `worker/serve.rs`, of a worker that retires after so many jobs.
    pub(crate) fn serve_and_retire(&mut self, jobs: usize) -> Found {
        loop {
            match self.next() {
                Found::Job(_) => self.answer(),
                end => return end,
            }
            let leaves = self.ran.len() == jobs;
            self.tell(!leaves);
            if leaves {
                return Found::Idle;
            }
        }
    }
}

/// `SharedLine`.
#[derive(Debug)]
pub(crate) struct Parent {
    shared: Arc<Shared>,
    pub(crate) turn: u32,
    wait: Wait,
    watch: Watch,
}

impl Parent {
    pub(crate) fn new(shared: &Arc<Shared>, wait: Wait, trigger: Trigger) -> Self {
        Self { shared: Arc::clone(shared), turn: 0, wait, watch: Watch::new(trigger) }
    }

    /// Hands over the next job. False when the worker has left.
    pub(crate) fn post(&mut self) -> bool {
        self.post_as(next(self.turn))
    }

    /// Hands over a job as that of a turn of choice.
    pub(crate) fn post_as(&mut self, turn: u32) -> bool {
        let turns = &self.shared.turns;
        // SAFETY: loom checks that nobody else is at it.
        self.shared.data.with_mut(|data| unsafe { *data = job(turn) });
        turns.down.length.store(job(turn), Ordering::Relaxed);
        self.watch.renew();
        let posted = turns.post(self.turn, turn, &self.shared.futex);
        self.turn = turn;
        posted
    }

    /// Waits for the answer.
    pub(crate) fn answer(&mut self) {
        let (shared, turn) = (Arc::clone(&self.shared), self.turn);
        self.until(|| shared.turns.is_answered(turn).then_some(()), || shared.turns.is_answered_parked(turn));
        self.read_answer();
    }

    fn read_answer(&self) {
        let turns = &self.shared.turns;
        assert_eq!(turns.up.kind.load(Ordering::Relaxed), self.turn);
        assert_eq!(turns.up.length.load(Ordering::Relaxed), answer(self.turn));
        // SAFETY: loom checks that nobody changes it.
        self.shared.data.with(|data| assert_eq!(unsafe { *data }, answer(self.turn), "an answer from another turn"));
        assert!(turns.is_taken(self.turn), "answered, and not taken");
    }

    /// Waits for what the worker says after the answer: whether it stays.
    pub(crate) fn verdict(&mut self) -> bool {
        let (shared, turn) = (Arc::clone(&self.shared), self.turn);
        self.until(|| shared.turns.stays(turn), || shared.turns.stays_parked(turn).is_some())
    }

    /// `poll_frame`: looks, and then asks for the bell.
    fn until<T>(&mut self, look: impl Fn() -> Option<T>, is_there_parked: impl Fn() -> bool) -> T {
        if let Some(found) = self.wait.until(&look) {
            return found;
        }
        loop {
            self.shared.turns.park();
            if is_there_parked() {
                return look().expect("it was there just now");
            }
            self.watch.wait(&self.shared.bell);
        }
    }

    pub(crate) fn hang_up(&self) {
        self.shared.turns.hang_up(self.turn, &self.shared.futex);
    }

    /// `last_frame` of a worker that has ended: whether it took the job. What was taken is answered, as no worker of
    /// these models dies in a job.
    pub(crate) fn was_taken(&self) -> bool {
        let taken = self.shared.turns.is_taken(self.turn);
        assert_eq!(taken, self.shared.turns.is_answered(self.turn));
        if taken {
            self.read_answer();
        }
        taken
    }
}
