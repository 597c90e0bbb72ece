//! What makes a program a worker: that it says so itself, and nothing else.

use super::this;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// A program that has offproc in it, uses it, and does not serve: behind a forced command, a sudo rule, a web server.
pub(crate) fn plain() {
    let mut request = String::new();
    std::io::stdin().read_to_string(&mut request).unwrap();
    let length = offproc::run_sync(|text: String| text.len(), request).wait().unwrap();
    println!("plain: {length}");
}

/// The header of the first frame of a link, and what looks like one.
fn greeting() -> Vec<u8> {
    let mut frame = vec![5, 40, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0];
    frame.extend([b'x'; 20]);
    frame
}

pub(crate) fn no_variable_makes_a_worker() {
    let surroundings: [(&str, &[(&str, &str)]); 4] = [
        ("ssh", &[("SSH_ORIGINAL_COMMAND", "program --worker"), ("SSH_CONNECTION", "127.0.0.1 1 127.0.0.1 22")]),
        ("sudo", &[("SUDO_COMMAND", "program --worker"), ("SUDO_USER", "root"), ("SUDO_UID", "0")]),
        ("cgi", &[("GATEWAY_INTERFACE", "CGI/1.1"), ("QUERY_STRING", "--worker"), ("REQUEST_METHOD", "POST")]),
        ("offproc", &[("OFFPROC_SERVE", "1"), ("OFFPROC_COMMAND", "1"), ("OFFPROC_REMOTE", "1"), ("ARGV", "--worker")]),
    ];
    for (name, variables) in surroundings {
        let (status, output) =
            talk_to(Command::new(std::env::current_exe().unwrap()).arg("--plain").envs(variables.iter().copied()));
        assert!(status && output == format!("plain: {}\n", greeting().len()).as_bytes(), "{name}: {output:?}");
    }
    // The one that offproc knows makes it refuse to run: it is no worker of a program here.
    let marked = std::env::current_exe().unwrap();
    let (status, output) = talk_to(Command::new(marked).arg("--plain").env("OFFPROC_WORKER", "1"));
    assert!(!status && output.is_empty(), "{output:?}");
}

pub(crate) fn serving_needs_a_program() {
    let silent = this().stdin(Stdio::null()).output().unwrap();
    assert_eq!(silent.status.code(), Some(78));
    assert!(
        silent.stdout.is_empty() && String::from_utf8_lossy(&silent.stderr).contains("stdin has ended"),
        "{silent:?}"
    );
    let mut wrong = greeting();
    wrong[0] = 1;
    let mut worker = this().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    worker.stdin.take().unwrap().write_all(&wrong).unwrap();
    let output = worker.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains("version 1"), "{output:?}");
}

/// Whether it has ended well, and what it has printed, after a greeting at its stdin.
fn talk_to(command: &mut Command) -> (bool, Vec<u8>) {
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // One that has refused to run does not read it.
    let _ = program.stdin.take().unwrap().write_all(&greeting());
    let output = program.wait_with_output().unwrap();
    (output.status.success(), output.stdout)
}
