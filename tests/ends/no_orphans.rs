//! When a program ends, however it ends, none of its workers stays, whatever it is doing.

use futures::executor::block_on;
use offproc_tests::process::{has_ended, is_stopped, must_end, send, wait_for_end};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{PATIENCE, blocking_until};
use offproc_tests::{Executor, isolated};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

isolated!(
    by_returning_from_main,
    by_a_panic_in_main,
    by_exit_on_another_thread,
    by_abort_on_another_thread,
    by_sigterm,
    by_sigkill,
    by_sigkill_a_hundred_times_with_all_cpus_busy,
    under_any_runtime,
    while_a_worker_waits_for_its_hello,
    while_a_clone_has_their_lifelines,
);

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");
const KINDS: [&str; 3] = ["spawn", "fork_server", "fork"];

fn by_returning_from_main() {
    KINDS.into_iter().for_each(|workers| goes(workers, Executor::FuturesBlockOn, "return"));
}

fn by_a_panic_in_main() {
    KINDS.into_iter().for_each(|workers| goes(workers, Executor::FuturesBlockOn, "panic"));
}

fn by_exit_on_another_thread() {
    KINDS.into_iter().for_each(|workers| goes(workers, Executor::FuturesBlockOn, "exit"));
}

fn by_abort_on_another_thread() {
    KINDS.into_iter().for_each(|workers| goes(workers, Executor::FuturesBlockOn, "abort"));
}

fn by_sigterm() {
    KINDS.into_iter().for_each(|workers| goes(workers, Executor::FuturesBlockOn, "SIGTERM"));
}

fn by_sigkill() {
    KINDS.into_iter().for_each(|workers| goes(workers, Executor::FuturesBlockOn, "SIGKILL"));
}

/// One busy worker a CPU, and none is too busy to end.
fn by_sigkill_a_hundred_times_with_all_cpus_busy() {
    let count = std::thread::available_parallelism().expect("a number of CPUs").get();
    for round in 0..100 {
        let workers = KINDS[round % KINDS.len()];
        let mut command = Command::new(PROGRAM);
        command.args(["busy", workers, &count.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut program = command.spawn().expect("it starts");
        let mut stdout = BufReader::new(program.stdout.take().expect("it is piped"));
        let mut pid = || {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("it writes");
            line.trim().parse::<u32>().expect("a pid")
        };
        let pids: Vec<u32> = (0..count).map(|_| pid()).collect();
        assert!(!pids.iter().any(|pid| has_ended(*pid)), "{workers}, round {round}");
        send(program.id(), Signal::KILL);
        pids.into_iter().for_each(must_end);
        program.wait().expect("it is a child");
        // No process of it is left.
        assert_eq!(stdout.read(&mut [0]).expect("it can be read"), 0, "{workers}, round {round}");
    }
}

fn under_any_runtime() {
    for executor in Executor::ALL {
        KINDS.into_iter().for_each(|workers| goes(workers, executor, "SIGKILL"));
    }
}

/// A program has workers that are idle, busy and deaf, stopped, and in `init`, and a fork server in `preload`; the
/// thread that has started them has ended. Then it goes.
fn goes(workers: &str, executor: Executor, how: &str) {
    let scratch = Scratch::new();
    let (arrivals, stopped) = (Arrivals::new(&scratch, "arrivals"), Arrivals::new(&scratch, "stopped"));
    let mut command = Command::new(PROGRAM);
    command.args(["go", workers, &format!("{executor:?}"), how]).current_dir(scratch.folder());
    let mut program = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let count = if workers == "fork_server" { 5 } else { 4 };
    let mut pids: Vec<u32> = (0..count).map(|_| block_on(arrivals.next())).collect();
    let stopped = block_on(stopped.next());
    blocking_until(|| is_stopped(stopped), || format!("worker {stopped} does not stop"));
    pids.push(stopped);
    assert!(!pids.iter().any(|pid| has_ended(*pid)), "{workers} {executor:?} {how}");
    program.stdin.take().expect("it is piped").write_all(b"go\n").expect("it reads");
    let mut stdout = BufReader::new(program.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it writes");
    assert_eq!(line, "ready\n");
    let signal = match how {
        "SIGTERM" => Some(Signal::TERM),
        "SIGKILL" => Some(Signal::KILL),
        "abort" => Some(Signal::ABORT),
        _ => None,
    };
    if let Some(signal) = signal.filter(|signal| *signal != Signal::ABORT) {
        send(program.id(), signal);
    }
    assert_eq!(program.wait().unwrap().signal(), signal.map(Signal::as_raw), "{workers} {executor:?} {how}");
    if cfg!(offproc_portable) {
        // There a thread of the worker ends it, and is stopped with it.
        send(stopped, Signal::CONT);
    }
    pids.into_iter().for_each(must_end);
    // And no other process, fork servers included: none holds the pipe any more.
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
}

/// It ends although a fork of the program lives on. A worker that has not read its hello when the program ends finds
/// the other end of its lifeline closed; also if the program's first thread had ended before.
fn while_a_worker_waits_for_its_hello() {
    for workers in KINDS {
        for how in ["waiting", "sent", "sent, without the first thread"] {
            let mut program = Command::new(PROGRAM);
            program.args(["go-before-hello", workers, how]).stdin(Stdio::null());
            let mut program = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
            let mut lines = BufReader::new(program.stdout.take().expect("it is piped")).lines();
            let mut pid = || lines.next().expect("one more line").expect("it writes").parse().expect("a pid");
            let (worker, fork): (u32, u32) = (pid(), pid());
            assert!(!has_ended(worker) && !has_ended(fork));
            send(program.id(), Signal::KILL);
            // It stays a zombie, so the worker cannot see from its number that it has ended.
            must_end(program.id());
            send(worker, Signal::CONT);
            assert!(wait_for_end(worker, PATIENCE), "{workers}, {how}: worker {worker} still lives");
            assert!(!has_ended(fork), "it was there all the time");
            program.wait().unwrap();
            send(fork, Signal::KILL);
            must_end(fork);
            assert!(lines.next().is_none(), "{workers}, {how}: its `init` has run, or a process is left");
            let mut printed = String::new();
            program.stderr.take().expect("it is piped").read_to_string(&mut printed).expect("text");
            assert_eq!(printed, "", "{workers}, {how}: it is no fault of the worker");
        }
    }
}

/// Made by the bare system call, so nothing in the program can close in it what is to be closed.
fn while_a_clone_has_their_lifelines() {
    for kind in KINDS {
        let mut program =
            Command::new(PROGRAM).args(["clone", kind]).stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(program.stdout.take().expect("it is piped")).lines();
        let lines: Vec<String> = lines.take(3).map(|line| line.expect("a line")).collect();
        let number = |line: &str| line.parse().expect("a pid");
        let copy = lines.iter().find_map(|line| line.strip_prefix("copy ")).map(number).expect("a copy");
        let workers: Vec<u32> =
            lines.iter().filter(|line| !line.starts_with("copy ")).map(|line| number(line)).collect();
        assert!(!workers.iter().any(|pid| has_ended(*pid)));
        send(program.id(), Signal::KILL);
        program.wait().unwrap();
        workers.into_iter().for_each(must_end);
        assert!(!has_ended(copy), "it was there all the time");
        send(copy, Signal::KILL);
        must_end(copy);
    }
}
