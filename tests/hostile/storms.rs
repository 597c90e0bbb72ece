//! Workers that hang or die at their start, again and again, and jobs that kill theirs: each costs its own call, and
//! other calls nothing.
//!
//! What happens at a start is ordered by a file in the working directory, which each test has to itself. It is read in
//! each new process before offproc's code runs there.

use futures::future::{join, join_all};
use offproc::{BrokenWorkerError, Error, Limiter, Phase, WorkerContext};
use offproc_tests::portable::is_left_out;
use offproc_tests::process::{Family, must_end};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, WorkerKind, job, matrix};
use std::io::{ErrorKind, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

matrix!(
    a_start_that_hangs_is_given_up,
    starts_that_hang_delay_no_other_call,
    a_death_at_the_start_is_reported_and_costs_one_process,
    a_job_that_kills_again_and_again_harms_no_neighbour,
    starts_that_fail_in_a_row_pause_in_between,
);

matrix!(only fork_server:
    a_fork_server_that_dies_at_its_start_is_reported,
    a_fork_server_that_hangs_at_its_start_is_waited_for_but_once,
);

/// Obeyed by processes that begin as the executable does: spawned workers, and fork servers.
const EXECUTED: &str = "executed";
/// Obeyed by forks: of the test, and of a fork server.
const FORKED: &str = "forked";

// SAFETY: the section holds pointers to such functions, which run once, before `main`; those with a number come before
// the others, such as offproc's.
#[used]
#[unsafe(link_section = ".init_array.10000")]
static CONSTRUCTOR: extern "C" fn() = executed;

extern "C" fn executed() {
    obey(EXECUTED);
    // SAFETY: the function given does what a fork of a program may do whose other threads hold no lock of its own.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) };
}

extern "C" fn forked() {
    obey(FORKED);
}

/// Does what was ordered of processes that start, but for the first few.
fn obey(order: &str) {
    let order = trace(order);
    let Some((spared, deed)) = order.split_once(' ') else { return };
    if count_start() <= spared.parse().expect("a number") {
        return;
    }
    match deed {
        "hang" => {
            arrive("hung");
            job::sleep();
        }
        "exit" => job::end_at_once(3),
        "abort" => job::raise(libc::SIGABRT),
        "die" => job::raise(libc::SIGKILL),
        other => panic!("no such order: {other}"),
    }
}

/// One more process has started under an order; which one it is.
fn count_start() -> u64 {
    let mut starts = std::fs::File::options().create(true).append(true).open("starts").expect("a file");
    starts.write_all(b".").expect("a file");
    starts.stream_position().expect("a file")
}

fn starts() -> usize {
    trace("starts").len()
}

/// Gives an order to new workers.
fn order(case: Case, spared: u32, deed: &str) {
    let whom = if case.workers() == WorkerKind::Spawn { EXECUTED } else { FORKED };
    std::fs::write(whom, format!("{spared} {deed}")).unwrap();
}

/// Takes the order back, and resets the count of starts.
fn withdraw() {
    for file in [EXECUTED, FORKED, "starts"] {
        let _ = std::fs::remove_file(file);
    }
}

fn enter() -> Scratch {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    scratch
}

/// Before its code runs, only the fork server could kill a worker that has no pidfd.
fn has_no_handle(case: Case) -> bool {
    case.workers() == WorkerKind::ForkServer && is_left_out("until it has its lifeline, a fork server's worker stays")
}

async fn a_start_that_hangs_is_given_up(case: Case) {
    if has_no_handle(case) {
        return;
    }
    let scratch = enter();
    let hung = Arrivals::new(&scratch, "hung");
    order(case, 0, "hang");
    let context = case.builder().start_timeout(Duration::from_secs(2)).open().unwrap();
    let mut call = context.run_sync(job::pid, ()).into_future();
    let pid = drive_until(&mut call, hung.next()).await;
    match call.await {
        Err(Error::Spawn(error)) => {
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let printed = error.to_string();
            assert!(printed.contains("not ready within 2s") && printed.contains("while starting"), "{printed}");
        }
        other => panic!("not a start that took too long: {other:?}"),
    }
    must_end(pid);
    withdraw();
    assert_ne!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    context.close().await.unwrap();
}

async fn starts_that_hang_delay_no_other_call(case: Case) {
    if has_no_handle(case) {
        return;
    }
    let scratch = enter();
    let (hung, arrivals, gate) =
        (Arrivals::new(&scratch, "hung"), Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    order(case, 1, "hang");
    // One more than may start at a time.
    let count = std::thread::available_parallelism().unwrap().get() + 1;
    let limiter = Limiter::new(count + 2);
    let context = case.builder().start_timeout(Duration::MAX).open().unwrap();
    let ready = context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap();
    let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut busy = context.run_sync(job::work, argument).limiter(&limiter).into_future();
    assert_eq!(drive_until(&mut busy, arrivals.next()).await, ready);
    let call = || context.run_sync(job::pid, ()).limiter(&limiter).kill_on_cancel(true).into_future();
    let mut stuck = join_all((0..count).map(|_| call()));
    let mut pids = Vec::new();
    for _ in 0..count {
        pids.push(drive_until(&mut stuck, hung.next()).await);
    }
    withdraw();
    // Neither a worker that is ready nor one that is still to start.
    drive_until(&mut stuck, async {
        let other = call().await.unwrap();
        assert!(other != ready && !pids.contains(&other));
        gate.admit_one();
        busy.await.unwrap();
        for _ in 0..1000 {
            let pid = call().await.unwrap();
            assert!(pid == ready || pid == other);
        }
    })
    .await;
    drop(stuck);
    pids.into_iter().for_each(must_end);
    context.close().await.unwrap();
}

fn broken(result: Result<u32, Error>) -> BrokenWorkerError {
    match result {
        Err(Error::BrokenWorker(end)) => end,
        other => panic!("not a broken worker: {other:?}"),
    }
}

/// The death that a start has failed of.
fn death_at_start(result: Result<u32, Error>) -> BrokenWorkerError {
    match result {
        Err(Error::Spawn(error)) => *error.into_inner().expect("a cause").downcast().expect("a death"),
        other => panic!("not a start that failed: {other:?}"),
    }
}

async fn a_death_at_the_start_is_reported_and_costs_one_process(case: Case) {
    let _scratch = enter();
    // offproc tries a start again after a SIGKILL, which may have another cause.
    for (deed, code, signal, processes) in
        [("exit", Some(3), None, 1), ("abort", None, Some(libc::SIGABRT), 1), ("die", None, Some(libc::SIGKILL), 3)]
    {
        order(case, 0, deed);
        let context = case.context();
        for calls in 1..=3 {
            let end = death_at_start(context.run_sync(job::pid, ()).await);
            let status = end.exit_status().expect("it is known how it ended");
            assert_eq!((end.phase(), status.code(), status.signal()), (Phase::Start, code, signal), "{end}");
            assert_eq!(starts(), calls * processes, "{deed}");
        }
        withdraw();
        context.run_sync(job::pid, ()).await.expect("nothing is in its way any more");
        // Each caller has got its error.
        context.close().await.unwrap();
    }
}

async fn a_fork_server_that_dies_at_its_start_is_reported(case: Case) {
    let _scratch = enter();
    for (deed, printed) in [("exit", "exited with code 3"), ("abort", "SIGABRT"), ("die", "SIGKILL")] {
        std::fs::write(EXECUTED, format!("0 {deed}")).unwrap();
        let context = case.context();
        for calls in 1..=3 {
            let error = context.run_sync(job::pid, ()).await.unwrap_err();
            assert!(matches!(error, Error::Spawn(_)), "{error:?}");
            assert!(error.to_string().contains("fork server") && error.to_string().contains(printed), "{error}");
            assert_eq!(starts(), calls, "{deed}");
        }
        withdraw();
        context.run_sync(job::pid, ()).await.expect("nothing is in its way any more");
        context.close().await.unwrap();
    }
}

async fn a_fork_server_that_hangs_at_its_start_is_waited_for_but_once(case: Case) {
    let scratch = enter();
    let hung = Arrivals::new(&scratch, "hung");
    std::fs::write(EXECUTED, "0 hang").unwrap();
    let context = case.builder().start_timeout(Duration::from_secs(2)).open().unwrap();
    let limiter = Limiter::new(3);
    let mut calls = join_all((0..3).map(|_| context.run_sync(job::pid, ()).limiter(&limiter).into_future()));
    let pid = drive_until(&mut calls, hung.next()).await;
    for result in calls.await {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Spawn(e) if e.kind() == ErrorKind::TimedOut), "{error:?}");
        assert!(error.to_string().contains("fork server") && error.to_string().contains("within 2s"), "{error}");
    }
    assert_eq!(starts(), 1);
    must_end(pid);
    withdraw();
    context.run_sync(job::pid, ()).await.expect("nothing is in its way any more");
    context.close().await.unwrap();
}

/// tokio's clock is paused: it moves by what is slept, and by nothing else.
/// How long each is, and when they are forgotten, is tested beside `StartBackoff`.
async fn starts_that_fail_in_a_row_pause_in_between(case: Case) {
    const CALLS: u32 = 6;
    let _scratch = enter();
    let context = case.builder().start_timeout(Duration::MAX).open().unwrap();
    order(case, 0, "exit");
    let mut before = Instant::now();
    for call in 0..CALLS {
        let began = Instant::now();
        let end = death_at_start(context.run_sync(job::pid, ()).await);
        assert_eq!(end.exit_status().and_then(|status| status.code()), Some(3));
        // The pause counts from the failure before, which came after that call began.
        let least = call.checked_sub(2).map_or(Duration::ZERO, |doublings| Duration::from_millis(10 << doublings));
        assert!(before.elapsed() >= least, "call {call} came after {:?}", before.elapsed());
        before = began;
    }
    withdraw();
    context.run_sync(job::pid, ()).await.expect("nothing is in its way any more");
    context.close().await.unwrap();
}

fn note_worker() {
    append("workers", ".");
}

/// A neighbour's job; it is run but once.
fn note_number(number: u32) -> u32 {
    append("numbers", &format!("{number} "));
    number
}

async fn a_job_that_kills_again_and_again_harms_no_neighbour(case: Case) {
    const DEATHS: usize = 100;
    const EACH: u32 = 700;
    let scratch = enter();
    let context = case.builder().init(note_worker).open().unwrap();
    let limiter = Limiter::new(2);
    both_work(&context, &limiter, &scratch).await;
    assert_eq!(trace("workers").len(), 2);
    let over = AtomicBool::new(false);
    let killer = async {
        for n in 0..DEATHS {
            let (kill, status): (fn(i32), _) = match n % 3 {
                0 => (job::raise, libc::SIGKILL),
                1 => (job::raise, libc::SIGABRT),
                _ => (job::end_at_once, 3),
            };
            let end = broken(context.run_sync(kill, status).limiter(&limiter).await.map(|()| 0));
            let ended = end.exit_status().expect("it is known how it ended");
            assert_eq!((end.phase(), ended.code().or(ended.signal())), (Phase::Job, Some(status)), "{end}");
            let statistics = context.statistics();
            assert!(statistics.idle_workers + statistics.running_workers + statistics.starting_workers <= 2);
            let family = Family::now();
            assert!(family.workers().len() <= 2, "{family:?}");
        }
        over.store(true, Ordering::Relaxed);
    };
    let neighbour = |first: u32| {
        let (context, limiter, over) = (&context, &limiter, &over);
        async move {
            let mut numbers = first..;
            while !over.load(Ordering::Relaxed) || numbers.start - first < EACH {
                let number = numbers.next().expect("there are many");
                assert_eq!(context.run_sync(note_number, number).limiter(limiter).await.unwrap(), number);
            }
            first..numbers.start
        }
    };
    let ((), ran) = join(killer, join_all([0, 1_000_000, 2_000_000].map(neighbour))).await;
    let mut numbers: Vec<u32> = trace("numbers").split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(ran.into_iter().flatten()), "each job of a neighbour ran once");
    both_work(&context, &limiter, &scratch).await;
    assert_eq!(trace("workers").len(), 2 + DEATHS, "as many as were there at first, and one for each death");
    context.close().await.expect("each death was reported to a call");
}

/// Has two workers work at the same time.
async fn both_work(context: &WorkerContext, limiter: &Limiter, scratch: &Scratch) {
    let meeting = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&meeting, "arrivals"), Gate::new(&meeting, "gate"));
    let work = || {
        let argument = (arrivals.ticket(), gate.ticket(), scratch.path("work"));
        context.run_sync(job::work, argument).limiter(limiter).into_future()
    };
    let mut both = join(work(), work());
    for _ in 0..2 {
        drive_until(&mut both, arrivals.next()).await;
    }
    (0..2).for_each(|_| gate.admit_one());
    let (one, other) = both.await;
    one.and(other).unwrap();
}
