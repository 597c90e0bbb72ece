//! On real threads and the system's futex. `tests/loom-turn` in the repository has the interleavings; this here is for
//! what it takes on trust, and for Miri, whose atomics are sequentially consistent where they say so.
#![allow(unsafe_code)]

use super::*;
use crate::sys::shared_memory::SharedFutex;
use std::cell::UnsafeCell;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

const TURNS: u32 = if cfg!(miri) { 5 } else { 20_000 };
const RACES: u32 = if cfg!(miri) { 3 } else { 2_000 };

#[derive(Default)]
struct Shared {
    turns: Turns,
    data: UnsafeCell<u32>,
    rung: Mutex<u64>,
    bell: Condvar,
}

// SAFETY: the data are only touched by the side whose turn it is, which is what is tested.
unsafe impl Sync for Shared {}

impl Shared {
    /// Answers jobs until there are no more. How it ended, and how many there were.
    fn work(&self, looks: u32, patience: Option<Duration>) -> (Found, u32) {
        let (mut last, mut jobs) = (0, 0);
        loop {
            let found = (0..looks).find_map(|_| {
                std::hint::spin_loop();
                self.turns.look(last)
            });
            match found.unwrap_or_else(|| self.turns.sleep(last, &SharedFutex::within(patience))) {
                Found::Job(turn) => last = turn,
                end => return (end, jobs),
            }
            // SAFETY: it is the worker's turn.
            let data = unsafe { &mut *self.data.get() };
            assert_eq!(*data, last);
            *data = !last;
            jobs += 1;
            if self.turns.reply(last) {
                *self.rung.lock().unwrap() += 1;
                self.bell.notify_one();
            }
        }
    }

    /// Has a job done. False when there is nobody for it.
    fn call(&self, last: u32, looks: u32) -> bool {
        let turn = next(last);
        // SAFETY: it is the parent's turn.
        unsafe { *self.data.get() = turn };
        if !self.turns.post(last, turn, &SharedFutex::ENDLESS) {
            return false;
        }
        let mut is_there = (0..looks).any(|_| {
            std::hint::spin_loop();
            self.turns.is_answered(turn)
        });
        while !is_there {
            let rung = self.rung.lock().unwrap();
            let seen = *rung;
            drop(rung);
            self.turns.park();
            is_there = self.turns.is_answered_parked(turn);
            if !is_there {
                drop(self.bell.wait_while(self.rung.lock().unwrap(), |rung| *rung == seen).unwrap());
                is_there = self.turns.is_answered(turn);
            }
        }
        // SAFETY: it is the parent's turn again.
        assert_eq!(unsafe { *self.data.get() }, !turn);
        assert!(self.turns.is_taken(turn));
        true
    }
}

#[test]
fn jobs_are_answered_whoever_sleeps() {
    for (worker, parent) in [(0, 0), (0, 50), (50, 0), (50, 50)] {
        let shared = Shared::default();
        thread::scope(|scope| {
            let worker = scope.spawn(|| shared.work(worker, None));
            for last in 0..TURNS {
                assert!(shared.call(last, parent));
            }
            shared.turns.hang_up(TURNS, &SharedFutex::ENDLESS);
            assert_eq!(worker.join().unwrap(), (Found::Closed, TURNS));
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
            shared.turns.hang_up(answered, &SharedFutex::ENDLESS);
            let (end, jobs) = worker.join().unwrap();
            assert_eq!(jobs, answered);
            assert!(answered == 20 || end == Found::Idle);
        });
    }
}

#[test]
fn turn_numbers_are_none_of_the_words_that_end_it() {
    let last = LEAVES - 1;
    assert_eq!([next(0), next(1), next(last - 1), next(last)], [1, 2, last, 1]);
    const { assert!(LEAVES - 1 < CLOSED && CLOSED < LEFT) };
    assert_eq!(next(last | LEAVES), 1, "nothing a worker writes brings a parent out of range");
}

#[test]
fn a_verdict_is_for_one_turn() {
    let turns = Turns::default();
    for turn in [1, LEAVES - 1] {
        assert_eq!(turns.stays(turn), None);
        assert!(!turns.tell(turn, true));
        assert_eq!((turns.stays(turn), turns.stays_parked(turn)), (Some(true), Some(true)));
        turns.park();
        assert!(turns.tell(turn, false));
        assert!(!turns.tell(turn, false), "rung already");
        assert_eq!((turns.stays(turn), turns.stays_parked(turn)), (Some(false), Some(false)));
    }
    assert_eq!(turns.stays(1), None);
}

#[test]
fn each_side_writes_to_cache_lines_of_its_own() {
    let turns = Turns::default();
    let line = |address: usize| address / 64;
    let start = line((&raw const turns).addr());
    let lines = [(&raw const turns.down).addr(), (&raw const turns.up).addr(), (&raw const turns.worker_sleeps).addr()];
    assert_eq!(lines.map(|address| line(address) - start), [0, 1, 2]);
}
