//! The promises for a process that ends, and that several threads kill, reap and wait for at once.
//!
//! Here the races run some times, as they happen; `tests/models/process` runs this file in every interleaving up to a
//! bound.

use super::exit::ExitKind;
use super::exit_policy::KillReason;
use super::fake::{FakeProcess, KILLED};
use super::supervised::Process;
use crate::error::{BrokenWorkerError, Phase};
use crate::sync::race::{JoinHandle, block_on, explore, explore_slow, let_time_pass, spawn};
use crate::sync::{AtomicU32, Ordering};
use crate::sys::child::{Child, Wait};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The wait status of a process that has exited with 1.
const FAILED: i32 = 1 << 8;

/// That of one that has aborted.
const ABORTED: i32 = 6;

fn child(knows_groups: bool) -> (Child<FakeProcess>, FakeProcess) {
    let fake = FakeProcess::start(knows_groups);
    (Child::new(fake.clone()), fake)
}

fn adopted() -> (Arc<Process<FakeProcess>>, FakeProcess) {
    let (child, fake) = child(true);
    (Process::adopt(child), fake)
}

/// One that is killed with the processes that it has started. It starts none before that is set.
fn tree(knows_groups: bool) -> (Arc<Process<FakeProcess>>, FakeProcess) {
    let (child, fake) = child(knows_groups);
    let process = Process::announced();
    process.set_kill_tree();
    process.wait_here();
    process.arrived(child);
    (process, fake)
}

fn ends(fake: &FakeProcess, status: i32) -> JoinHandle<()> {
    let fake = fake.clone();
    spawn(move || fake.end(status))
}

/// The calls of the hooks for the end of a process.
#[derive(Clone)]
struct Notified {
    times: Arc<AtomicU32>,
    exits: Arc<Mutex<Vec<ExitKind>>>,
    errors: Arc<Mutex<Vec<BrokenWorkerError>>>,
}

impl Notified {
    fn of(process: &Process<FakeProcess>) -> Self {
        let notified = Self { times: Arc::new(AtomicU32::new(0)), exits: Arc::default(), errors: Arc::default() };
        let (hook, exits) = (notified.clone(), Arc::clone(&notified.exits));
        let ended = move |error| {
            hook.errors.lock().unwrap().extend(error);
            hook.times.fetch_add(1, Ordering::Relaxed);
        };
        process.on_end(Box::new(ended), Box::new(move |exit| exits.lock().unwrap().push(exit.kind)));
        notified
    }

    /// Relaxed: a thread that sees the end sees this too.
    fn times(&self) -> u32 {
        self.times.load(Ordering::Relaxed)
    }

    fn exits(&self) -> Vec<ExitKind> {
        self.exits.lock().unwrap().clone()
    }

    fn errors(&self) -> usize {
        self.errors.lock().unwrap().len()
    }
}

fn wait(process: &Process<FakeProcess>) {
    block_on(poll_fn(|cx| process.poll_end(cx)));
}

fn is_by_kill(process: &Process<FakeProcess>) -> bool {
    status(process) == Some(KILLED)
}

/// The status that its context would report.
fn status(process: &Process<FakeProcess>) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    process.exit_status().map(ExitStatusExt::into_raw)
}

#[test]
fn a_death_is_seen_by_its_waiter_and_reported_once() {
    explore(|| {
        let (process, fake) = adopted();
        process.set_phase(Phase::Idle);
        let ends = ends(&fake, FAILED);
        let notified = Notified::of(&process);
        wait(&process);
        assert_eq!((notified.times(), notified.errors()), (1, 1));
        assert_eq!(notified.exits(), [ExitKind::Crashed]);
        assert!(process.unreported_end().is_none(), "it is reported once");
        assert_eq!(status(&process), Some(FAILED));
        assert!(fake.is_reaped());
        ends.join().unwrap();
    });
}

/// It ends during a job, and its holder drops it, as `Worker` does: one of the two reports what it was.
#[test]
fn an_exit_is_reported_once_by_its_reaper_or_by_its_owner() {
    explore(|| {
        let (process, fake) = adopted();
        process.set_phase(Phase::Job);
        let notified = Notified::of(&process);
        let ends = ends(&fake, FAILED);
        process.kill();
        if process.unreported_exit().is_some() {
            process.report_exit(ExitKind::Crashed, None);
        }
        wait(&process);
        assert_eq!(notified.exits(), [if is_by_kill(&process) { ExitKind::Killed } else { ExitKind::Crashed }]);
        ends.join().unwrap();
    });
}

/// It answers with a panic and aborts, as programs with `panic = "abort"` do: before the caller has the answer, or
/// after.
#[test]
fn an_abort_after_an_answer_is_no_crash() {
    explore(|| {
        let (process, fake) = adopted();
        process.set_phase(Phase::Job);
        let notified = Notified::of(&process);
        let ends = ends(&fake, ABORTED);
        process.end_for_panic();
        process.set_phase(Phase::Idle);
        wait(&process);
        assert_eq!(notified.exits(), [ExitKind::Retired]);
        assert_eq!(notified.errors() + usize::from(process.unreported_end().is_some()), 0);
        ends.join().unwrap();
    });
}

#[test]
fn a_kill_and_a_death_do_not_cross() {
    explore(|| {
        let (process, fake) = adopted();
        process.set_phase(Phase::Idle);
        let notified = Notified::of(&process);
        let ends = ends(&fake, FAILED);
        process.kill();
        assert!(fake.has_ended(), "sent when `kill` returns");
        wait(&process);
        assert_eq!(notified.times(), 1);
        assert!(!is_by_kill(&process) || notified.errors() == 0, "a kill of ours is not reported");
        assert!(fake.is_reaped());
        ends.join().unwrap();
    });
}

/// The context is killed while the worker dies of its job: one of the two reports it.
#[test]
fn a_kill_with_the_context_is_reported_where_it_was_the_end() {
    explore(|| {
        let (process, fake) = adopted();
        process.set_phase(Phase::Job);
        let notified = Notified::of(&process);
        let ends = ends(&fake, FAILED);
        process.kill_for(KillReason::WithContext);
        wait(&process);
        assert_eq!(notified.errors(), usize::from(is_by_kill(&process)));
        assert_eq!(process.was_killed_with_context(), is_by_kill(&process));
        ends.join().unwrap();
    });
}

/// A process that another process starts is killed before, while or after it arrives.
#[test]
fn a_kill_of_a_process_to_come_is_not_lost() {
    explore(|| {
        let process = Process::announced();
        let (child, fake) = child(true);
        let kills = spawn({
            let process = Arc::clone(&process);
            move || process.kill()
        });
        process.arrived(child);
        kills.join().unwrap();
        // As the fork server does.
        assert!(fake.has_ended());
        process.record_end(fake.reap().unwrap());
        assert!(is_by_kill(&process));
    });
}

/// Its fork server ends: whichever event comes first, one background task waits for the process.
#[test]
fn a_process_whose_fork_server_goes_is_waited_for_once() {
    explore(|| {
        let process = Process::announced();
        let (child, fake) = child(true);
        fake.end(0);
        let goes = spawn({
            let process = Arc::clone(&process);
            move || process.wait_here()
        });
        process.arrived(child);
        wait(&process);
        assert_eq!(status(&process), Some(0));
        assert!(fake.is_reaped());
        goes.join().unwrap();
    });
}

/// The fork server is stopped, or busy, or violates the protocol.
#[test]
fn the_end_of_a_process_that_its_fork_server_does_not_report_is_seen() {
    explore_slow(|| {
        let process = Process::announced();
        let (child, fake) = child(true);
        process.set_phase(Phase::Idle);
        let notified = Notified::of(&process);
        process.arrived(child);
        let ends = ends(&fake, FAILED);
        let passes = spawn(let_time_pass);
        wait(&process);
        assert_eq!(status(&process), None, "only the fork server knows");
        assert_eq!((notified.times(), notified.exits()), (1, vec![ExitKind::Idle]));
        ends.join().unwrap();
        passes.join().unwrap();
    });
}

#[test]
fn a_process_that_is_not_announced_is_waited_for_no_longer() {
    explore(|| {
        let process = Process::<FakeProcess>::announced();
        let goes = spawn({
            let process = Arc::clone(&process);
            move || process.wait_here()
        });
        block_on(poll_fn(|cx| process.poll_end_or_loss(cx)));
        assert!(process.is_unannounced());
        goes.join().unwrap();
    });
}

/// The background thread, the end of the program and a kill, all at once: it is reaped once, all that it has started is
/// gone by then, and nothing uses its number after that.
#[test]
fn two_who_reap_and_one_who_kills_a_tree() {
    for knows_groups in [true, false] {
        explore(move || {
            let (process, fake) = tree(knows_groups);
            let kills = spawn({
                let process = Arc::clone(&process);
                move || process.kill()
            });
            assert!(process.wait_until(Instant::now() + Duration::from_secs(3600)));
            assert!(fake.is_reaped());
            assert!(!fake.has_member());
            kills.join().unwrap();
        });
    }
}

/// The program waits for children itself.
#[test]
fn a_status_that_other_code_takes_does_not_hide_the_end() {
    explore(|| {
        let (process, fake) = tree(true);
        process.set_phase(Phase::Idle);
        let notified = Notified::of(&process);
        let takes = spawn({
            let fake = fake.clone();
            move || {
                fake.end(FAILED);
                fake.reap().is_ok()
            }
        });
        wait(&process);
        let taken = takes.join().unwrap();
        assert_eq!(status(&process), (!taken).then_some(FAILED));
        assert_eq!((notified.times(), notified.errors()), (1, usize::from(!taken)));
        assert!(!fake.has_member());
    });
}

/// Its end is recorded while the caller finds that its job was not taken.
#[test]
fn an_idle_death_that_a_caller_finds_is_reported_once() {
    explore(|| {
        let (process, fake) = adopted();
        process.set_phase(Phase::Job);
        let notified = Notified::of(&process);
        fake.end(FAILED);
        let found = process.was_idle();
        wait(&process);
        assert_eq!(notified.times(), 1);
        assert_eq!(notified.errors() + usize::from(found.is_some()), 1);
    });
}
