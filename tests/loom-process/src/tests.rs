//! What is promised.

use crate::error::{BrokenWorkerError, Phase};
use crate::kernel::{self, KILLED, Pidfd};
use crate::parent::process::Process;
use crate::sys::process::Child;
use crate::sys::reap::reap;
use loom::future::block_on;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::future::poll_fn;
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a wait status says of a process that has exited with 1.
const FAILED: i32 = 1 << 8;

/// Explores with at most two preemptions (or `LOOM_MAX_PREEMPTIONS`), which keeps all models within some seconds.
fn explore(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(body);
}

fn child(knows_groups: bool) -> (Child, Pidfd) {
    let (pid, pidfd) = kernel::start(knows_groups);
    (Child::of_fork(pid).unwrap(), pidfd)
}

fn adopted() -> (Arc<Process>, Pidfd) {
    let (child, pidfd) = child(true);
    (Process::adopt(child), pidfd)
}

/// One that is killed with what it has started. It has started nothing before that is known.
fn tree(knows_groups: bool) -> (Arc<Process>, Pidfd) {
    let (child, pidfd) = child(knows_groups);
    let process = Process::announced();
    process.set_kill_tree();
    process.wait_here();
    process.arrived(child);
    (process, pidfd)
}

/// What has been told of the end of a process.
#[derive(Clone)]
struct Told {
    times: Arc<AtomicUsize>,
    errors: Arc<Mutex<Vec<BrokenWorkerError>>>,
}

impl Told {
    fn of(process: &Process) -> Self {
        let told = Self { times: Arc::new(AtomicUsize::new(0)), errors: Arc::default() };
        let hook = told.clone();
        process.on_end(Box::new(move |error| {
            hook.errors.lock().unwrap().extend(error);
            hook.times.fetch_add(1, Ordering::Relaxed);
        }));
        told
    }

    /// Relaxed: whoever sees the end sees this too.
    fn times(&self) -> usize {
        self.times.load(Ordering::Relaxed)
    }

    fn errors(&self) -> usize {
        self.errors.lock().unwrap().len()
    }
}

fn wait(process: &Process) {
    block_on(poll_fn(|cx| process.poll_end(cx)));
}

fn status(process: &Process) -> Option<i32> {
    process.error().end.status.map(ExitStatusExt::into_raw)
}

#[test]
fn a_death_is_seen_by_who_waits_and_told_once() {
    explore(|| {
        let (process, pidfd) = adopted();
        process.set_phase(Phase::Idle);
        let ends = thread::spawn({
            let pidfd = pidfd.clone();
            move || pidfd.end(FAILED)
        });
        let told = Told::of(&process);
        wait(&process);
        assert_eq!((told.times(), told.errors()), (1, 1));
        assert!(process.untold_end().is_none(), "it is told once");
        assert_eq!(status(&process), Some(FAILED));
        assert!(pidfd.is_reaped());
        ends.join().unwrap();
    });
}

/// Dropped, that is.
#[test]
fn a_kill_and_a_death_do_not_cross() {
    explore(|| {
        let (process, pidfd) = adopted();
        process.set_phase(Phase::Idle);
        let told = Told::of(&process);
        let ends = thread::spawn({
            let pidfd = pidfd.clone();
            move || pidfd.end(FAILED)
        });
        process.kill();
        assert!(pidfd.has_ended(), "sent when `kill` returns");
        wait(&process);
        assert_eq!(told.times(), 1);
        assert!(status(&process) == Some(FAILED) || told.errors() == 0, "a kill of ours is nobody's fault");
        assert!(pidfd.is_reaped());
        ends.join().unwrap();
    });
}

/// A process that somebody else starts is killed before, while or after it is there.
#[test]
fn a_kill_of_a_process_to_come_is_not_lost() {
    explore(|| {
        let process = Process::announced();
        let (child, pidfd) = child(true);
        let kills = thread::spawn({
            let process = Arc::clone(&process);
            move || process.kill()
        });
        process.arrived(child);
        kills.join().unwrap();
        // As the fork server does.
        assert!(pidfd.has_ended());
        process.record_end(reap(&pidfd).unwrap());
        assert_eq!(status(&process), Some(KILLED));
    });
}

/// Who was to announce it goes: whatever comes first, one errand of the keeper's waits for it.
#[test]
fn a_process_whose_fork_server_goes_is_waited_for_once() {
    explore(|| {
        let process = Process::announced();
        let (child, pidfd) = child(true);
        pidfd.end(0);
        let goes = thread::spawn({
            let process = Arc::clone(&process);
            move || process.wait_here()
        });
        process.arrived(child);
        wait(&process);
        assert_eq!(status(&process), Some(0));
        assert!(pidfd.is_reaped());
        goes.join().unwrap();
    });
}

#[test]
fn a_process_that_nobody_announces_any_more_is_waited_for_no_longer() {
    explore(|| {
        let process = Process::announced();
        let goes = thread::spawn({
            let process = Arc::clone(&process);
            move || process.wait_here()
        });
        block_on(poll_fn(|cx| process.poll_end_or_loss(cx)));
        assert!(process.is_unannounced());
        goes.join().unwrap();
    });
}

/// The keeper, the end of the program and a kill, all at once: it is reaped once, all that it has started is gone by
/// then, and its number is used by nobody after that.
#[test]
fn two_who_reap_and_one_who_kills_a_tree() {
    for knows_groups in [true, false] {
        explore(move || {
            let (process, pidfd) = tree(knows_groups);
            let kills = thread::spawn({
                let process = Arc::clone(&process);
                move || process.kill()
            });
            assert!(process.wait_until(Instant::now() + Duration::from_secs(3600)));
            assert!(pidfd.is_reaped());
            assert!(!pidfd.has_member());
            kills.join().unwrap();
        });
    }
}

/// The program has its own way with children.
#[test]
fn a_status_that_somebody_else_takes_does_not_hide_the_end() {
    explore(|| {
        let (process, pidfd) = tree(true);
        process.set_phase(Phase::Idle);
        let told = Told::of(&process);
        let takes = thread::spawn({
            let pidfd = pidfd.clone();
            move || {
                pidfd.end(FAILED);
                reap(&pidfd).is_ok()
            }
        });
        wait(&process);
        let taken = takes.join().unwrap();
        assert_eq!(status(&process), (!taken).then_some(FAILED));
        assert_eq!((told.times(), told.errors()), (1, usize::from(!taken)));
        assert!(!pidfd.has_member());
    });
}

/// Its end is recorded while the caller finds that its job was not taken.
#[test]
fn an_idle_death_that_a_caller_comes_upon_is_told_once() {
    explore(|| {
        let (process, pidfd) = adopted();
        process.set_phase(Phase::Job);
        let told = Told::of(&process);
        pidfd.end(FAILED);
        let found = process.was_idle();
        wait(&process);
        assert_eq!(told.times(), 1);
        assert_eq!(told.errors() + usize::from(found.is_some()), 1);
    });
}
