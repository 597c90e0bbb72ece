//! What is promised.

use crate::kernel::Trigger;
use crate::model::{WORKERS, Ways, explore, explore_all};
use crate::sides::Wait;
use crate::turn::{Found, next};
use loom::thread;
use std::sync::Arc;

/// The last turn before they begin again at 1.
const LAST: u32 = i32::MAX as u32;

const ASLEEP: Ways = Ways { worker: Wait::Asleep(1), parent: Wait::Asleep(0), trigger: Trigger::Edge };

/// Some turns and the end.
fn turns(ways: Ways, count: usize) {
    let (_, mut parent, mut worker) = ways.sides();
    let worker = thread::spawn(move || {
        assert_eq!(worker.serve(), Found::Closed);
        worker.ran.len()
    });
    for _ in 0..count {
        assert!(parent.post());
        parent.answer();
    }
    parent.hang_up();
    assert_eq!(worker.join().unwrap(), count);
}

#[test]
fn a_job_is_taken_and_answered() {
    explore_all("one turn", Some(3), |ways| turns(ways, 1));
}

/// What one turn leaves behind (a flag, a ring of the bell) does no harm in the next ones.
#[test]
fn turns_follow_each_other() {
    explore_all("two turns", Some(2), |ways| turns(ways, 2));
    explore("three turns", Some(3), || turns(ASLEEP, 3));
}

#[test]
fn turn_numbers_begin_again() {
    assert_eq!([next(0), next(LAST - 1), next(LAST)], [1, LAST, 1]);
    explore("turn numbers", Some(2), || {
        let (_, mut parent, mut worker) = ASLEEP.sides();
        let worker = thread::spawn(move || {
            assert_eq!(worker.serve_and_retire(3), Found::Idle);
            assert_eq!(worker.ran, [LAST - 1, LAST, 1]);
        });
        assert!(parent.post_as(LAST - 1));
        for turn in [LAST - 1, LAST, 1] {
            assert_eq!(parent.turn, turn);
            parent.answer();
            assert_eq!(parent.verdict(), turn != 1);
            assert_eq!(parent.post(), turn != 1);
        }
        worker.join().unwrap();
    });
}

#[test]
fn verdicts_are_seen() {
    explore_all("verdicts", Some(2), |ways| {
        let (_, mut parent, mut worker) = ways.sides();
        let worker = thread::spawn(move || worker.serve_and_retire(2));
        assert!(parent.post());
        parent.answer();
        assert!(parent.verdict());
        assert!(parent.post());
        parent.answer();
        assert!(!parent.verdict());
        assert!(!parent.post());
        assert_eq!(worker.join().unwrap(), Found::Idle);
        assert!(!parent.was_taken());
    });
}

/// A worker whose time is up either leaves, and the job is refused, or takes it.
#[test]
fn a_job_and_an_idle_leave_do_not_cross() {
    for wait in [Wait::Asleep(0), Wait::Asleep(1), Wait::Asleep(2)] {
        for trigger in [Trigger::Edge, Trigger::Level] {
            explore(&format!("idle leave, {wait:?}, {trigger:?}"), Some(3), move || {
                let (shared, mut parent, mut worker) = Ways { worker: wait, trigger, ..ASLEEP }.sides();
                let clock = thread::spawn(move || shared.futex.end_time());
                let worker = thread::spawn(move || {
                    assert_eq!(worker.serve(), Found::Idle);
                    worker.ran.len()
                });
                let posted = parent.post();
                if posted {
                    parent.answer();
                }
                assert_eq!(worker.join().unwrap(), usize::from(posted));
                clock.join().unwrap();
                assert_eq!(parent.was_taken(), posted);
            });
        }
    }
}

/// The same, between two jobs.
#[test]
fn a_second_job_and_an_idle_leave_do_not_cross() {
    explore("idle leave between jobs", Some(3), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let clock = thread::spawn(move || shared.futex.end_time());
        let worker = thread::spawn(move || {
            assert_eq!(worker.serve(), Found::Idle);
            worker.ran.len()
        });
        let mut answered = 0;
        while answered < 2 && parent.post() {
            parent.answer();
            answered += 1;
        }
        assert_eq!(worker.join().unwrap(), answered);
        clock.join().unwrap();
    });
}

/// A signal to a sleeping worker changes nothing.
#[test]
fn a_worker_woken_early_sleeps_on() {
    explore("woken early", Some(3), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let signal = thread::spawn(move || shared.futex.interrupt());
        let worker = thread::spawn(move || worker.serve());
        assert!(parent.post());
        parent.answer();
        parent.hang_up();
        assert_eq!(worker.join().unwrap(), Found::Closed);
        signal.join().unwrap();
    });
}

#[test]
fn every_worker_hears_of_the_end() {
    for wait in WORKERS {
        explore(&format!("hang-up, {wait:?}"), None, move || {
            let (_, parent, mut worker) = Ways { worker: wait, ..ASLEEP }.sides();
            let worker = thread::spawn(move || worker.serve());
            parent.hang_up();
            assert_eq!(worker.join().unwrap(), Found::Closed);
        });
    }
}

#[test]
fn the_end_and_an_idle_leave_do_not_cross() {
    explore("hang-up and idle leave", Some(3), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let clock = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.futex.end_time()
        });
        let worker = thread::spawn(move || worker.serve());
        parent.hang_up();
        assert!(matches!(worker.join().unwrap(), Found::Closed | Found::Idle));
        clock.join().unwrap();
        assert!(!parent.post(), "there is nobody any more");
        assert!(!parent.was_taken());
    });
}

/// A parent that does not wait for the verdict: the worker leaves and the job is refused, or the job is there first
/// and is not taken.
#[test]
fn a_job_and_a_retirement_do_not_cross() {
    explore_all("retirement", Some(3), |ways| {
        let (shared, mut parent, mut worker) = ways.sides();
        let worker = thread::spawn(move || {
            worker.serve_and_retire(1);
            worker.ran.len()
        });
        assert!(parent.post());
        parent.answer();
        let first = parent.turn;
        let posted = parent.post();
        assert_eq!(worker.join().unwrap(), 1);
        assert_eq!(shared.turns.stays(first), Some(posted));
        assert!(!parent.was_taken());
    });
}

#[test]
fn the_end_and_a_retirement_do_not_cross() {
    explore("hang-up and retirement", Some(3), || {
        let (_, mut parent, mut worker) = ASLEEP.sides();
        let worker = thread::spawn(move || worker.serve_and_retire(1));
        assert!(parent.post());
        parent.answer();
        parent.hang_up();
        // Whatever it says, it says something.
        parent.verdict();
        assert_eq!(worker.join().unwrap(), Found::Idle);
        assert!(!parent.post());
    });
}

/// A parent that hangs up on a job: it was not taken, or it is answered.
#[test]
fn the_end_and_a_job_do_not_cross() {
    for wait in WORKERS {
        explore(&format!("hang-up and job, {wait:?}"), Some(3), move || {
            let (_, mut parent, mut worker) = Ways { worker: wait, ..ASLEEP }.sides();
            let worker = thread::spawn(move || {
                assert_eq!(worker.serve(), Found::Closed);
                worker.ran.len()
            });
            assert!(parent.post());
            parent.hang_up();
            assert_eq!(worker.join().unwrap(), usize::from(parent.was_taken()));
        });
    }
}
