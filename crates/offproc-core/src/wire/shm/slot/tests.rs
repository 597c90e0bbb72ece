//! On real threads and the system's futex. `tests/models/shared-memory` in the repository has the interleavings; these
//! tests are for what the model assumes, and for Miri, whose atomics are sequentially consistent where the code says
//! so.
#![allow(unsafe_code)]

use super::*;
use crate::sys::shared_memory::SharedFutex;
use std::cell::{Cell, UnsafeCell};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

const JOBS: u32 = if cfg!(miri) { 5 } else { 20_000 };
const RACES: u32 = if cfg!(miri) { 3 } else { 2_000 };

#[derive(Default)]
struct Shared {
    slot: Slot,
    data: UnsafeCell<u32>,
    rung: Mutex<u64>,
    doorbell: Condvar,
}

// SAFETY: only the side that owns the memory touches the data, which is what this tests.
unsafe impl Sync for Shared {}

impl Shared {
    /// Answers jobs until there are no more. How it ended, and how many there were.
    fn work(&self, looks: u32, patience: Option<Duration>) -> (Found, u32) {
        let (mut last, mut jobs) = (0, 0);
        loop {
            let found = (0..looks).find_map(|_| {
                std::hint::spin_loop();
                self.slot.look(last)
            });
            match found.unwrap_or_else(|| self.slot.sleep(last, &SharedFutex::within(patience))) {
                Found::Job(seq) => last = seq,
                Found::Reminder(word) => {
                    last = word;
                    continue;
                }
                end => return (end, jobs),
            }
            // SAFETY: the worker owns the memory now.
            let data = unsafe { &mut *self.data.get() };
            assert_eq!(*data, last);
            *data = !last;
            jobs += 1;
            if self.slot.publish_answer(last) {
                *self.rung.lock().unwrap() += 1;
                self.doorbell.notify_one();
            }
        }
    }

    /// Has a job done. False if the worker has left.
    fn call(&self, last: u32, looks: u32) -> bool {
        let seq = next_seq(last);
        // SAFETY: the parent owns the memory now.
        unsafe { *self.data.get() = seq };
        if !self.slot.publish_job(last, seq, &SharedFutex::ENDLESS) {
            return false;
        }
        let mut is_there = (0..looks).any(|_| {
            std::hint::spin_loop();
            self.slot.is_answered(seq)
        });
        while !is_there {
            let rung = self.rung.lock().unwrap();
            let seen = *rung;
            drop(rung);
            self.slot.park();
            is_there = self.slot.is_answered_parked(seq);
            if !is_there {
                drop(self.doorbell.wait_while(self.rung.lock().unwrap(), |rung| *rung == seen).unwrap());
                is_there = self.slot.is_answered(seq);
            }
        }
        // SAFETY: the parent owns the memory again.
        assert_eq!(unsafe { *self.data.get() }, !seq);
        assert!(self.slot.is_taken(seq));
        true
    }
}

#[test]
fn jobs_are_answered_whichever_side_sleeps() {
    for (worker, parent) in [(0, 0), (0, 50), (50, 0), (50, 50)] {
        let shared = Shared::default();
        thread::scope(|scope| {
            let worker = scope.spawn(|| shared.work(worker, None));
            for last in 0..JOBS {
                assert!(shared.call(last, parent));
            }
            shared.slot.request_shutdown(JOBS, &SharedFutex::ENDLESS);
            assert_eq!(worker.join().unwrap(), (Found::Closed, JOBS));
        });
    }
}

#[test]
fn a_worker_whose_time_is_up_leaves_or_answers() {
    for race in 0..RACES {
        let (shared, patience) = (Shared::default(), Duration::from_micros(u64::from(race % 50)));
        thread::scope(|scope| {
            let worker = scope.spawn(|| shared.work(0, Some(patience)));
            let mut answered = 0;
            while answered < 20 && shared.call(answered, race % 2 * 20) {
                answered += 1;
            }
            shared.slot.request_shutdown(answered, &SharedFutex::ENDLESS);
            let (end, jobs) = worker.join().unwrap();
            assert_eq!(jobs, answered);
            assert!(answered == 20 || end == Found::Idle);
        });
    }
}

/// Counts how often it would have made a system call.
#[derive(Default)]
struct Counted {
    waits: Cell<u32>,
    wakes: Cell<u32>,
}

impl Futex for Counted {
    fn wait(&self, word: &AtomicU32, seen: u32) -> bool {
        self.waits.set(self.waits.get() + 1);
        // Something comes just now.
        word.compare_exchange(seen, next_seq(seen), Ordering::SeqCst, Ordering::Relaxed).unwrap();
        true
    }

    fn wake(&self, _word: &AtomicU32) {
        self.wakes.set(self.wakes.get() + 1);
    }
}

#[test]
fn no_wake_up_without_a_sleeper() {
    let (slot, futex) = (Slot::default(), Counted::default());
    assert!(slot.publish_job(0, 1, &futex));
    assert_eq!(slot.look(0), Some(Found::Job(1)));
    assert!(!slot.publish_answer(1), "the parent is awake");
    assert!(!slot.publish_decision(1, true), "the parent is awake");
    // It has slept once, and does no more.
    assert_eq!(slot.sleep(1, &futex), Found::Job(2));
    assert!(slot.publish_job(2, 3, &futex));
    slot.request_shutdown(3, &futex);
    assert_eq!((futex.waits.get(), futex.wakes.get()), (1, 0));
}

#[test]
fn the_bell_is_rung_once_for_who_asked_for_it_in_this_turn() {
    let (slot, futex) = (Slot::default(), Counted::default());
    assert!(slot.publish_job(0, 1, &futex));
    slot.park();
    assert!(slot.publish_answer(1));
    assert!(!slot.publish_decision(1, true), "it was rung, and not asked for again");
    slot.park();
    assert!(slot.publish_job(1, 2, &futex));
    assert!(!slot.publish_answer(2), "it was asked for for the job before");
}

#[test]
fn who_is_about_to_sleep_and_finds_something_does_not() {
    let (slot, futex) = (Slot::default(), Counted::default());
    assert!(slot.publish_job(0, 1, &futex));
    assert_eq!(slot.sleep(0, &futex), Found::Job(1));
    slot.request_shutdown(1, &futex);
    assert_eq!(slot.sleep(1, &futex), Found::Closed);
    assert!(!slot.leave(1) && !slot.publish_job(1, 2, &futex), "it is over");
    assert_eq!((futex.waits.get(), futex.wakes.get()), (0, 0));
}

#[test]
fn turn_numbers_are_none_of_the_words_that_end_it() {
    assert_eq!([next_seq(0), next_seq(1), next_seq(SEQ - 1), next_seq(SEQ)], [1, 2, SEQ, 1]);
    const { assert!(LEAVES - 1 < CLOSED && CLOSED < LEFT) };
    assert_eq!(next_seq(SEQ | LEAVES), 1, "nothing a worker writes brings a parent out of range");
    let most = (0..10_000).fold(SEQ, |word, _| reminded(word));
    assert!(!is_over(most) && seq_of(most) == SEQ, "as many reminders as you like");
}

#[test]
fn a_reminder_is_no_turn() {
    let (slot, futex) = (Slot::default(), Counted::default());
    assert!(slot.publish_job(0, 1, &futex));
    slot.remind(&futex);
    let Some(Found::Job(1)) = slot.look(0) else { panic!("the job comes first") };
    assert!(slot.is_taken(1) && !slot.is_answered(1));
    let Some(Found::Reminder(word)) = slot.look(1) else { panic!("and then the reminder") };
    assert_eq!((slot.look(word), seq_of(word)), (None, 1));
    assert!(!slot.publish_answer(1));
    assert!(slot.is_answered(1));
    slot.remind(&futex);
    assert!(matches!(slot.look(word), Some(Found::Reminder(_))), "one more");
    slot.remind(&futex);
    assert!(slot.publish_job(1, 2, &futex), "the seq is the same");
    assert_eq!(slot.look(word), Some(Found::Job(2)));
    slot.remind(&futex);
    assert!(slot.leave(2), "no job");
    slot.remind(&futex);
    assert_eq!(slot.look(2), Some(Found::Idle));
    assert!(!slot.publish_job(2, 3, &futex));
}

#[test]
fn a_verdict_is_for_one_turn() {
    let slot = Slot::default();
    for seq in [1, SEQ] {
        assert_eq!(slot.decision(seq), None);
        assert!(!slot.publish_decision(seq, true));
        assert_eq!((slot.decision(seq), slot.decision_parked(seq)), (Some(true), Some(true)));
        slot.park();
        assert!(slot.publish_decision(seq, false));
        assert!(!slot.publish_decision(seq, false), "rung already");
        assert_eq!((slot.decision(seq), slot.decision_parked(seq)), (Some(false), Some(false)));
    }
    assert_eq!(slot.decision(1), None);
}

#[test]
fn each_side_writes_to_cache_lines_of_its_own() {
    let slot = Slot::default();
    let line = |address: usize| address / 64;
    let start = line((&raw const slot).addr());
    let lines =
        [(&raw const slot.parent).addr(), (&raw const slot.worker).addr(), (&raw const slot.worker_sleeps).addr()];
    assert_eq!(lines.map(|address| line(address) - start), [0, 1, 2]);
}
