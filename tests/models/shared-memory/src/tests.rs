//! What is promised.

use crate::kernel::Trigger;
use crate::model::{WORKERS, Wait, Ways, explore, explore_all};
use crate::sides::End;
use crate::wire::shm::slot::next_seq;
use loom::thread;
use std::sync::Arc;

/// The last number before they begin again at 1.
const LAST: u32 = (1 << 20) - 1;

const ASLEEP: Ways = Ways { worker: Wait::Asleep(1), parent: Wait::Asleep(0), trigger: Trigger::Edge };

/// Some jobs and the end.
fn jobs(ways: Ways, count: usize) {
    let (_, mut parent, mut worker) = ways.sides();
    let worker = thread::spawn(move || {
        assert_eq!(worker.serve(), End::Closed);
        worker.ran
    });
    for _ in 0..count {
        assert!(parent.post());
        parent.answer();
    }
    parent.request_shutdown();
    assert_eq!(worker.join().unwrap(), count);
}

#[test]
fn a_job_is_taken_and_answered() {
    explore_all("one job", Some(2), |ways| jobs(ways, 1));
}

/// What one job leaves behind (a flag, a ring of the doorbell) does no harm in the next ones.
#[test]
fn turns_follow_each_other() {
    explore_all("two jobs", Some(1), |ways| jobs(ways, 2));
    explore("two jobs, asleep", Some(2), || jobs(ASLEEP, 2));
    explore("three jobs", Some(1), || jobs(ASLEEP, 3));
}

#[test]
fn turn_numbers_begin_again() {
    assert_eq!([next_seq(0), next_seq(LAST - 1), next_seq(LAST)], [1, LAST, 1]);
    explore("sequence numbers", Some(1), || {
        let (_, mut parent, mut worker) = ASLEEP.sides();
        let worker = thread::spawn(move || {
            assert_eq!(worker.serve_and_retire(3), End::Idle);
            assert_eq!(worker.ran, 3);
        });
        assert!(parent.post_as(LAST - 1));
        for seq in [LAST - 1, LAST, 1] {
            assert_eq!(parent.seq, seq);
            parent.answer();
            assert_eq!(parent.decision(), seq != 1);
            assert_eq!(parent.post(), seq != 1);
        }
        worker.join().unwrap();
    });
}

#[test]
fn verdicts_are_seen() {
    explore_all("decisions", Some(1), |ways| {
        let (_, mut parent, mut worker) = ways.sides();
        let worker = thread::spawn(move || worker.serve_and_retire(2));
        assert!(parent.post());
        parent.answer();
        assert!(parent.decision());
        assert!(parent.post());
        parent.answer();
        assert!(!parent.decision());
        assert!(!parent.post());
        assert_eq!(worker.join().unwrap(), End::Idle);
        assert!(!parent.was_taken());
    });
}

/// A worker whose time is up either leaves, and the job is refused, or takes it.
#[test]
fn a_job_and_an_idle_leave_do_not_cross() {
    for wait in [Wait::Asleep(0), Wait::Asleep(1), Wait::Asleep(2)] {
        for trigger in [Trigger::Edge, Trigger::Level] {
            explore(&format!("idle leave, {wait:?}, {trigger:?}"), Some(2), move || {
                let (shared, mut parent, mut worker) = Ways { worker: wait, trigger, ..ASLEEP }.sides();
                let clock = thread::spawn(move || shared.futex.end_time());
                let worker = thread::spawn(move || {
                    assert_eq!(worker.serve(), End::Idle);
                    worker.ran
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
    explore("idle leave between jobs", Some(1), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let clock = thread::spawn(move || shared.futex.end_time());
        let worker = thread::spawn(move || {
            assert_eq!(worker.serve(), End::Idle);
            worker.ran
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
    explore("woken early", Some(2), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let signal = thread::spawn(move || shared.futex.interrupt());
        let worker = thread::spawn(move || worker.serve());
        assert!(parent.post());
        parent.answer();
        parent.request_shutdown();
        assert_eq!(worker.join().unwrap(), End::Closed);
        signal.join().unwrap();
    });
}

#[test]
fn every_worker_hears_of_the_end() {
    for wait in WORKERS {
        explore(&format!("hang-up, {wait:?}"), None, move || {
            let (_, mut parent, mut worker) = Ways { worker: wait, ..ASLEEP }.sides();
            let worker = thread::spawn(move || worker.serve());
            parent.request_shutdown();
            assert_eq!(worker.join().unwrap(), End::Closed);
        });
    }
}

#[test]
fn the_end_and_an_idle_leave_do_not_cross() {
    explore("hang-up and idle leave", Some(2), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let clock = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.futex.end_time()
        });
        let worker = thread::spawn(move || worker.serve());
        parent.request_shutdown();
        assert!(matches!(worker.join().unwrap(), End::Closed | End::Idle));
        clock.join().unwrap();
        assert!(!parent.post(), "the worker has left");
        assert!(!parent.was_taken());
    });
}

/// A parent that does not wait for the decision: the worker leaves and the job is refused, or the job is there first
/// and is not taken.
#[test]
fn a_job_and_a_retirement_do_not_cross() {
    explore_all("retirement", Some(2), |ways| {
        let (shared, mut parent, mut worker) = ways.sides();
        let worker = thread::spawn(move || {
            worker.serve_and_retire(1);
            worker.ran
        });
        assert!(parent.post());
        parent.answer();
        let first = parent.seq;
        let posted = parent.post();
        assert_eq!(worker.join().unwrap(), 1);
        assert_eq!(shared.slot.decision(first), Some(posted));
        assert!(!parent.was_taken());
    });
}

#[test]
fn the_end_and_a_retirement_do_not_cross() {
    explore("hang-up and retirement", Some(2), || {
        let (_, mut parent, mut worker) = ASLEEP.sides();
        let worker = thread::spawn(move || worker.serve_and_retire(1));
        assert!(parent.post());
        parent.answer();
        parent.request_shutdown();
        // Whatever it says, it says something.
        parent.decision();
        assert_eq!(worker.join().unwrap(), End::Idle);
        assert!(!parent.post());
    });
}

/// A parent that hangs up on a job: it was not taken, or it is answered.
#[test]
fn the_end_and_a_job_do_not_cross() {
    for wait in WORKERS {
        explore(&format!("hang-up and job, {wait:?}"), Some(2), move || {
            let (_, mut parent, mut worker) = Ways { worker: wait, ..ASLEEP }.sides();
            let worker = thread::spawn(move || {
                assert_eq!(worker.serve(), End::Closed);
                worker.ran
            });
            assert!(parent.post());
            parent.request_shutdown();
            assert_eq!(worker.join().unwrap(), usize::from(parent.was_taken()));
        });
    }
}

/// Whatever the worker does meanwhile, it is reminded: of each of two things, by two threads.
#[test]
fn a_reminder_is_not_lost() {
    for wait in WORKERS {
        explore(&format!("reminders, {wait:?}"), Some(2), move || {
            let (shared, _parent, mut worker) = Ways { worker: wait, ..ASLEEP }.sides();
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || shared.forget()
            });
            let worker = thread::spawn(move || worker.wait_for_reminders(2));
            shared.forget();
            other.join().unwrap();
            worker.join().unwrap();
        });
    }
}

/// A reminder from another thread harms no job, and none harms it.
#[test]
fn a_job_and_a_reminder_do_not_cross() {
    explore("a job and a reminder", Some(1), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let other = thread::spawn(move || shared.forget());
        let worker = thread::spawn(move || {
            assert_eq!(worker.serve(), End::Closed);
            worker.ran
        });
        assert!(parent.post());
        parent.answer();
        assert!(parent.post());
        parent.answer();
        parent.request_shutdown();
        assert_eq!(worker.join().unwrap(), 2);
        other.join().unwrap();
    });
}

/// Nor the end of a worker: it leaves when its time is up, or it retires.
#[test]
fn a_leave_and_a_reminder_do_not_cross() {
    explore("idle leave and reminder", Some(2), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.forget();
                shared.futex.end_time();
            }
        });
        let worker = thread::spawn(move || {
            assert_eq!(worker.serve(), End::Idle);
            worker.ran
        });
        let posted = parent.post();
        if posted {
            parent.answer();
        }
        assert_eq!(worker.join().unwrap(), usize::from(posted));
        other.join().unwrap();
        assert!(!parent.post());
    });
    explore("retirement and reminder", Some(2), || {
        let (shared, mut parent, mut worker) = ASLEEP.sides();
        let other = thread::spawn(move || shared.forget());
        let worker = thread::spawn(move || worker.serve_and_retire(1));
        assert!(parent.post());
        parent.answer();
        assert!(!parent.decision());
        assert!(!parent.post());
        assert_eq!(worker.join().unwrap(), End::Idle);
        other.join().unwrap();
    });
}
