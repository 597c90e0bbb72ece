//! Windows: kills leave neither processes nor handles, and a busy worker ends with its program.
#![cfg(windows)]

use futures::executor::block_on;
use futures::future::join_all;
use offproc::{WorkerContext, run_sync};
use offproc_tests::process::{Family, has_ended, must_end, wait_for_end};
use offproc_tests::rendezvous::{Arrivals, arrive};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{blocking_until, drive_until};
use offproc_tests::windows::handles;
use offproc_tests::windows::job::Job;
use offproc_tests::{isolated, job};
use std::process::{Command, Stdio};
use std::time::Duration;

isolated!(kills_leave_no_process_and_no_handle);

/// How often, in the short run and in the long one.
fn rounds(long: usize) -> usize {
    if std::env::var("OFFPROC_CI_LONG").is_ok_and(|long| long == "1") { long } else { 50 }
}

fn kills_leave_no_process_and_no_handle() {
    /// What the system may open for itself meanwhile, and keep: far less than one for each kill.
    const SLACK: usize = 8;
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = WorkerContext::builder().kill_on_cancel(true).open().unwrap();
    let kill = || {
        let pid = block_on(async {
            let mut call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).into_future();
            drive_until(&mut call, arrivals.next()).await
        });
        must_end(pid);
    };
    // The first ones open what stays.
    (0..5).for_each(|_| kill());
    blocking_until(|| Family::now().is_empty(), || format!("left: {:?}", Family::now()));
    let before = handles::count();
    let rounds = rounds(1000);
    (0..rounds).for_each(|_| kill());
    blocking_until(|| Family::now().is_empty(), || format!("left: {:?}", Family::now()));
    blocking_until(
        || handles::count() <= before + SLACK,
        || format!("{before} handles were open before, and {} after {rounds} kills", handles::count()),
    );
    println!("{rounds} kills: {before} handles before, {} after", handles::count());
    block_on(context.close()).unwrap();
}

/// The ticket of a program that is to be terminated.
const MIDDLE: &str = "OFFPROC_TEST_MIDDLE";

#[test]
fn a_busy_worker_ends_with_its_program() {
    if let Ok(ticket) = std::env::var(MIDDLE) {
        let _ = block_on(run_sync(job::arrive_and_spin, ticket).into_future());
        return;
    }
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    for round in 0..rounds(50) {
        let mut program = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_busy_worker_ends_with_its_program", "--nocapture"])
            .env(MIDDLE, arrivals.ticket())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let worker = block_on(arrivals.next());
        assert!(!has_ended(worker), "round {round}: it is busy");
        // `TerminateProcess`: nothing of the program's runs any more.
        program.kill().unwrap();
        program.wait().unwrap();
        assert!(
            wait_for_end(worker, Duration::from_secs(10)),
            "round {round}: worker {worker} has outlived its program"
        );
    }
}

/// The ticket of a program that is to be terminated while it starts workers.
const STARTING: &str = "OFFPROC_TEST_STARTING";

#[test]
fn a_start_does_not_outlive_its_program() {
    if let Ok(ticket) = std::env::var(STARTING) {
        let contexts: Vec<_> = (0..4).map(|_| WorkerContext::builder().open().unwrap()).collect();
        arrive(&ticket);
        let _ = block_on(join_all(contexts.iter().map(|context| context.run_sync(job::pid, ()).into_future())));
        return;
    }
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    for round in 0..rounds(500) {
        let program = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_start_does_not_outlive_its_program", "--nocapture"])
            .env(STARTING, arrivals.ticket())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let (mut program, family) = (program.unwrap(), Job::new().unwrap());
        family.add(&program).unwrap();
        let pid = block_on(arrivals.next());
        // At one moment or another of its starts, or later.
        let moment = Duration::from_millis(round as u64 % 50);
        if !wait_for_end(pid, moment) {
            program.kill().unwrap();
        }
        program.wait().unwrap();
        blocking_until(
            || family.active() == 0,
            || format!("round {round}: {} processes have outlived their program", family.active()),
        );
    }
}
