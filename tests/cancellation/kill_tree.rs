//! `.kill_tree(true)`: what a job has started ends with its worker, or with the program.

use offproc::{BrokenWorkerError, Error, WorkerContext};
use offproc_tests::process::{has_ended, kill, must_end, send};
use offproc_tests::rendezvous::{Arrivals, arrive};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, isolated, job, matrix};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

matrix!(
    ends_what_a_dropped_call_s_job_has_started,
    ends_it_when_the_time_is_up,
    ends_it_when_the_worker_crashes,
    ends_it_when_the_worker_retires,
    ends_it_when_an_abandoned_job_overstays,
    spares_it_where_it_is_not_asked_for,
    spares_the_workers_beside_it,
);

isolated!(
    a_killed_program_takes_all_along,
    a_program_that_exits_takes_all_along,
    a_program_that_returns_takes_all_along,
    a_terminal_stops_no_worker,
);

/// Starts a family: a child and, of that one, a grandchild. Both arrive, deaf to all signals, and never end.
fn start_a_family(ticket: String) {
    let stay = || {
        job::block_all_signals();
        arrive(&ticket);
        job::sleep();
    };
    job::fork_and(|| {
        job::fork_and(stay);
        stay();
    });
}

fn start_a_family_and_wait(ticket: String) {
    start_a_family(ticket);
    job::sleep();
}

fn tree(case: Case) -> WorkerContext {
    case.builder().kill_tree(true).open().unwrap()
}

/// Both members of the family.
async fn both(arrivals: &Arrivals) -> [u32; 2] {
    [arrivals.next().await, arrivals.next().await]
}

async fn ends_what_a_dropped_call_s_job_has_started(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = tree(case);
    let mut call = context.run_sync(start_a_family_and_wait, arrivals.ticket()).kill_on_cancel(true).into_future();
    let family = drive_until(&mut call, both(&arrivals)).await;
    assert!(!family.iter().any(|pid| has_ended(*pid)));
    drop(call);
    // Nothing is polled from here on.
    family.into_iter().for_each(must_end);
    context.close().await.unwrap();
}

async fn ends_it_when_the_time_is_up(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = tree(case);
    let call = context.run_sync(start_a_family_and_wait, arrivals.ticket()).time_limit(Duration::from_millis(300));
    assert!(matches!(call.await, Err(Error::TimedOut)));
    // As far as it got to start them in that time.
    while let Some(pid) = arrivals.try_next() {
        must_end(pid);
    }
    context.close().await.unwrap();
}

async fn ends_it_when_the_worker_crashes(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = tree(case);
    // In the job before, so that both are there when it crashes.
    context.run_sync(start_a_family, arrivals.ticket()).await.unwrap();
    let family = both(&arrivals).await;
    assert!(!family.iter().any(|pid| has_ended(*pid)), "a job that ends well ends nothing");
    let end: BrokenWorkerError = match context.run_sync(job::end_at_once, 7).await {
        Err(Error::BrokenWorker(end)) => end,
        other => panic!("not a broken worker: {other:?}"),
    };
    assert_eq!(end.exit_status().and_then(|status| status.code()), Some(7));
    // They have been sent the signal before the caller gets the error.
    family.into_iter().for_each(must_end);
    context.close().await.unwrap();
}

async fn ends_it_when_the_worker_retires(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().kill_tree(true).retire_after_jobs(2..=2).open().unwrap();
    context.run_sync(start_a_family, arrivals.ticket()).await.unwrap();
    let family = both(&arrivals).await;
    context.run_sync(job::pid, ()).await.unwrap();
    family.into_iter().for_each(must_end);
    context.close().await.unwrap();
}

async fn ends_it_when_an_abandoned_job_overstays(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().kill_tree(true).grace_period(Duration::from_millis(50)).open().unwrap();
    let mut call = context.run_sync(start_a_family_and_wait, arrivals.ticket()).into_future();
    let family = drive_until(&mut call, both(&arrivals)).await;
    drop(call);
    context.close().await.unwrap_err();
    family.into_iter().for_each(must_end);
}

async fn spares_it_where_it_is_not_asked_for(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    context.run_sync(start_a_family, arrivals.ticket()).await.unwrap();
    let family = both(&arrivals).await;
    context.run_sync(job::end_at_once, 7).await.unwrap_err();
    context.close().await.unwrap();
    assert!(!family.iter().any(|pid| has_ended(*pid)));
    family.into_iter().for_each(kill);
}

async fn spares_the_workers_beside_it(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let (dying, living) = (tree(case), tree(case));
    living.run_sync(start_a_family, arrivals.ticket()).await.unwrap();
    let family = both(&arrivals).await;
    let pid = living.run_sync(job::pid, ()).await.unwrap();
    dying.run_sync(job::end_at_once, 7).await.unwrap_err();
    dying.close().await.unwrap();
    assert_eq!(living.run_sync(job::pid, ()).await.unwrap(), pid);
    assert!(!family.iter().any(|pid| has_ended(*pid)));
    living.close().await.unwrap();
    family.into_iter().for_each(must_end);
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

/// A program whose worker, its child and its grandchild have said who they are.
fn start(workers: &str, how: &str) -> (Child, Vec<u32>) {
    let mut command = Command::new(PROGRAM);
    command.args(["tree", workers, how]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(program.stdout.take().expect("it is piped")).lines();
    let pids = (0..3).map(|_| lines.next().expect("a pid").unwrap().parse().unwrap()).collect();
    (program, pids)
}

fn a_killed_program_takes_all_along() {
    for workers in ["spawn", "fork_server", "fork"] {
        let (mut program, pids) = start(workers, "busy");
        assert!(!pids.iter().any(|pid| has_ended(*pid)));
        send(program.id(), Signal::KILL);
        program.wait().unwrap();
        pids.into_iter().for_each(must_end);
    }
}

fn a_program_that_exits_takes_all_along() {
    ends_well("busy");
}

fn a_program_that_returns_takes_all_along() {
    ends_well("idle");
}

fn ends_well(how: &str) {
    for workers in ["spawn", "fork_server", "fork"] {
        let (mut program, pids) = start(workers, how);
        // Its stdin is closed with this, which is a line to it.
        assert!(program.wait().unwrap().success());
        pids.into_iter().for_each(must_end);
    }
}

/// In a group of its own, a worker is in the background of the program's terminal: what reads there gets an error.
fn a_terminal_stops_no_worker() {
    use offproc_tests::process::wait_for_end;
    use offproc_tests::waiting::PATIENCE;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::process::CommandExt;
    for (workers, how) in ["spawn", "fork_server", "fork"]
        .into_iter()
        .flat_map(|workers| [(workers, "kill-tree"), (workers, "own-group")])
    {
        let (mut ours, mut theirs) = (-1, -1);
        let none = std::ptr::null_mut();
        // SAFETY: both are variables of ours; the other pointers may be null.
        let opened = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, none, none.cast(), none.cast()) };
        assert_eq!(opened, 0);
        // SAFETY: just opened, and owned here alone.
        let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
        rustix::io::write(&ours, b"typed ahead\n").unwrap();
        let terminal = theirs.as_raw_fd();
        let mut program = Command::new(PROGRAM);
        program.args(["ask-the-terminal", workers, how]);
        // SAFETY: system calls only.
        unsafe {
            program.pre_exec(move || {
                libc::setsid();
                libc::ioctl(terminal, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let mut program = program.spawn().expect("it starts");
        let has_ended = wait_for_end(program.id(), PATIENCE);
        if !has_ended {
            kill(program.id());
        }
        let status = program.wait().unwrap();
        assert!(has_ended && status.success(), "{workers} {how}: {status}");
    }
}
