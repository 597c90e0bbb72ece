//! The marker in the environment alone makes nobody a worker.

use offproc_tests::isolated;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

isolated!(
    with_an_ordinary_stdin_is_refused,
    with_a_socket_of_somebody_else_is_refused,
    with_a_datagram_socket_is_refused,
    with_a_parent_that_changed_its_mind_ends_quietly,
    with_a_parent_that_talks_nonsense_is_refused,
    without_it_nothing_happens,
);

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");
const MARKER: &str = "OFFPROC_WORKER";

fn marked(command: &mut Command, stdin: impl Into<Stdio>) -> Output {
    command.env(MARKER, "1").stdin(stdin).output().unwrap()
}

fn must_be_refused(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(said.contains(MARKER) && said.contains("no worker"), "{said}");
    assert!(output.stdout.is_empty(), "its main did not run");
}

fn with_an_ordinary_stdin_is_refused() {
    must_be_refused(&marked(&mut Command::new(PROGRAM), Stdio::null()));
    must_be_refused(&marked(&mut Command::new(PROGRAM), Stdio::piped()));
}

fn with_a_socket_of_somebody_else_is_refused() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    // The socket is that of this process, which is the shell's parent, not the program's.
    let output = marked(Command::new("sh").args(["-c", "\"$0\"; exit $?", PROGRAM]), OwnedFd::from(theirs));
    must_be_refused(&output);
    drop(ours);
}

fn with_a_datagram_socket_is_refused() {
    let (_ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    must_be_refused(&marked(&mut Command::new(PROGRAM), OwnedFd::from(theirs)));
}

fn with_a_parent_that_changed_its_mind_ends_quietly() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    let output = marked(&mut Command::new(PROGRAM), OwnedFd::from(theirs));
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

fn with_a_parent_that_talks_nonsense_is_refused() {
    use std::io::Write;
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(&[0xff; 64]).unwrap();
    let output = marked(&mut Command::new(PROGRAM), OwnedFd::from(theirs));
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}

fn without_it_nothing_happens() {
    let output = Command::new(PROGRAM).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "main ran\n", "{output:?}");
}
