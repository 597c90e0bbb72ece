//! When a program goes, by whatever road, nobody of its workers stays, whatever they are doing.

use futures::executor::block_on;
use offproc_tests::process::{has_ended, is_stopped, must_end, send};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::blocking_until;
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
    under_any_runtime,
    while_a_worker_waits_for_its_hello,
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
    pids.into_iter().for_each(must_end);
    // And nobody else, the fork servers included: nobody holds the pipe any more.
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
}

fn while_a_worker_waits_for_its_hello() {
    let mut program = Command::new(PROGRAM).arg("go-before-hello").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = BufReader::new(program.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it writes");
    let pid = line.trim().parse().expect("a pid");
    assert!(!has_ended(pid));
    send(program.id(), Signal::KILL);
    program.wait().unwrap();
    must_end(pid);
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
}
