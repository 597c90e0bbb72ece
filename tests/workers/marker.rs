//! The marker in the environment alone does not make a process a worker.

use offproc_tests::hostile::{HELLO, REFUSED, frame, say_on};
use offproc_tests::isolated;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

isolated!(
    with_an_ordinary_stdin_is_refused,
    with_a_socket_of_another_process_is_refused,
    with_a_datagram_socket_is_refused,
    with_a_parent_that_changed_its_mind_ends_quietly,
    with_a_parent_that_talks_nonsense_is_refused,
    with_a_parent_of_another_build_is_refused,
    for_another_build_is_refused_with_the_reason,
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
    assert!(said.contains(MARKER) && said.contains("not a worker"), "{said}");
    assert!(output.stdout.is_empty(), "its main did not run");
}

fn with_an_ordinary_stdin_is_refused() {
    must_be_refused(&marked(&mut Command::new(PROGRAM), Stdio::null()));
    must_be_refused(&marked(&mut Command::new(PROGRAM), Stdio::piped()));
}

fn with_a_socket_of_another_process_is_refused() {
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
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(&[0xff; 64]).unwrap();
    let output = marked(&mut Command::new(PROGRAM), OwnedFd::from(theirs));
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}

/// As when a program without `/proc` has been replaced by a new build: functions travel as offsets in the executable,
/// so the worker would run whatever is there in the new one.
fn with_a_parent_of_another_build_is_refused() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let (_lifeline, worker_lifeline) = UnixStream::pair().unwrap();
    // The fingerprint of the build; what follows may be of another form in another build.
    assert!(say_on(ours.as_fd(), &frame(HELLO, &[1, 1, 100]), &[worker_lifeline.into()]));
    let output = marked(&mut Command::new(PROGRAM), OwnedFd::from(theirs));
    assert!(!output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    let mut said = Vec::new();
    ours.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("the worker is of another build of the program"), "{said:?}");
}

/// What a program of another build, or with another copy of offproc in it, has in its workers' environment.
fn for_another_build_is_refused_with_the_reason() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut program = Command::new(PROGRAM);
    let output = program.env(MARKER, format!("{:032x}-1a2b", 1)).stdin(OwnedFd::from(theirs)).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(output.stdout.is_empty(), "its main did not run");
    assert!(output.stderr.is_empty(), "its parent got the reason, so stderr has none: {output:?}");
    drop(program);
    let mut said = Vec::new();
    ours.read_to_end(&mut said).unwrap();
    assert_eq!(said[1], REFUSED, "{said:?}");
    assert!(String::from_utf8_lossy(&said).contains("it is of another build than the program"), "{said:?}");
    // It sends nothing to a socket that is not its parent's.
    let output = Command::new(PROGRAM).env(MARKER, format!("{:032x}-1a2b", 1)).stdin(Stdio::null()).output().unwrap();
    must_be_refused(&output);
}

fn without_it_nothing_happens() {
    let output = Command::new(PROGRAM).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "main ran\n", "{output:?}");
}
