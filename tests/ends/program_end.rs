//! When a program ends, however it ends, its workers end with it.

use offproc_tests::process::{has_ended, must_end, send};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::{Executor, isolated};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

isolated!(
    killed_takes_spawned_workers_along,
    killed_takes_workers_of_a_fork_server_along,
    killed_takes_forks_along,
    terminated_takes_workers_along,
    returning_from_main_lets_idle_workers_do_their_work_at_exit,
    exit_kills_what_is_busy,
    exit_does_not_wait_for_what_is_on_loan,
    a_panic_in_main_ends_workers,
    nothing_is_printed_on_a_clean_end,
    output_of_jobs_comes_through,
    forwarded_events_come_through,
    a_removed_executable_does_no_harm,
);

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

fn start(arguments: &[&str]) -> Child {
    let mut program = Command::new(PROGRAM);
    program.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    program.spawn().expect("the program starts")
}

/// Its workers hold its stdout and stderr, so this returns when they have gone as well.
fn run(arguments: &[&str]) -> Output {
    start(arguments).wait_with_output().expect("the program runs")
}

fn takes_workers_along(workers: &str, signal: Signal) {
    let mut program = start(&["linger", workers]);
    let mut lines = BufReader::new(program.stdout.take().expect("it is piped")).lines();
    let pids: Vec<u32> = (0..4).map(|_| lines.next().expect("a pid").unwrap().parse().unwrap()).collect();
    assert!(!pids.iter().any(|pid| has_ended(*pid)));
    send(program.id(), signal);
    assert_eq!(program.wait().unwrap().signal(), Some(signal.as_raw()));
    pids.into_iter().for_each(must_end);
    // All of them, and the fork server: no process holds the pipe any more.
    assert!(lines.next().is_none());
    let mut printed = String::new();
    program.stderr.take().expect("it is piped").read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "");
}

fn killed_takes_spawned_workers_along() {
    takes_workers_along("spawn", Signal::KILL);
}

fn killed_takes_workers_of_a_fork_server_along() {
    takes_workers_along("fork_server", Signal::KILL);
}

fn killed_takes_forks_along() {
    takes_workers_along("fork", Signal::KILL);
}

fn terminated_takes_workers_along() {
    takes_workers_along("spawn", Signal::TERM);
}

fn in_scratch() -> Scratch {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    scratch
}

fn returning_from_main_lets_idle_workers_do_their_work_at_exit() {
    let _scratch = in_scratch();
    for workers in ["spawn", "fork_server"] {
        std::fs::write("trace", "").unwrap();
        let output = run(&["end", workers, "idle"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(trace("trace"), "bye ", "{workers}");
    }
}

fn exit_kills_what_is_busy() {
    let _scratch = in_scratch();
    for workers in ["spawn", "fork_server", "fork"] {
        for how in ["exit", "return", "in-grace"] {
            assert!(run(&["end", workers, how]).status.success());
        }
    }
}

fn exit_does_not_wait_for_what_is_on_loan() {
    let start = Instant::now();
    assert!(run(&["exit-before-the-verdict"]).status.success());
    // Not for the grace period.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

fn a_panic_in_main_ends_workers() {
    let _scratch = in_scratch();
    let output = run(&["end", "spawn", "panic"]);
    assert_eq!(output.status.code(), Some(101));
}

fn nothing_is_printed_on_a_clean_end() {
    let _scratch = in_scratch();
    for workers in ["spawn", "fork_server", "fork"] {
        for executor in Executor::ALL {
            for how in ["idle", "busy"] {
                let output = run(&["end", workers, &format!("{executor:?}"), how]);
                let is_clean = output.status.success() && output.stdout.is_empty() && output.stderr.is_empty();
                assert!(is_clean, "{workers} {executor:?} {how}: {output:?}");
            }
        }
    }
}

fn output_of_jobs_comes_through() {
    let output = run(&["print"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from the program, from the worker, and again\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "and its stderr");
}

fn forwarded_events_come_through() {
    let output = run(&["log"]);
    let expected: String = (0..3000).map(|n| format!("{n}\n")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", String::from_utf8_lossy(&output.stderr));
}

fn a_removed_executable_does_no_harm() {
    let scratch = Scratch::new();
    let copy = scratch.path("program");
    std::fs::copy(PROGRAM, &copy).unwrap();
    let output = Command::new(&copy).arg("without-its-file").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2\n", "{output:?}");
}
