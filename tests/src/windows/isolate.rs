//! A process of its own for each test: see `src/isolate.rs`. Here it is in a job, with all that it starts.

use super::waiting::blocking_until;
use super::windows::job::Job;
use crate::process;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names the one test that an inner process runs.
const INNER: &str = "OFFPROC_TEST_INNER";

/// Far more than any test takes on a busy machine; it turns a hang into a failure.
const LONGEST: Duration = Duration::from_secs(180);

/// Runs the test of this name, with its crate in front, in a process of its own.
pub fn run(name: &str, test: impl FnOnce()) {
    run_within(LONGEST, &[], name, test);
}

/// There are none here.
pub fn run_with_and_without_memory_files(name: &str, test: impl FnOnce()) {
    run(name, test);
}

/// Whether this test runs as if the system had no memory files.
#[must_use]
pub fn has_no_memory_files() -> bool {
    true
}

/// The same for a test that may take longer, or needs variables in its environment. What it prints is passed on.
///
/// # Panics
///
/// The test fails.
pub fn run_within(longest: Duration, environment: &[(&str, &str)], name: &str, test: impl FnOnce()) {
    let (_crate, name) = name.split_once("::").expect("a test in a module");
    if std::env::var(INNER).is_ok_and(|inner| inner == name) {
        crate::leak::check(test);
    } else {
        print!("{}", run_inner(name, longest, environment));
    }
}

fn run_inner(name: &str, longest: Duration, environment: &[(&str, &str)]) -> String {
    let mut output = crate::scratch::unnamed_file();
    let file = || -> Stdio { output.try_clone().expect("one more handle").into() };
    let job = Job::new().expect("a job");
    let mut inner = Command::new(std::env::current_exe().expect("the test's executable"))
        .args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(INNER, name)
        .env("RUST_BACKTRACE", "0")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(file())
        .stderr(file())
        .spawn()
        .expect("the test's executable runs once more");
    job.add(&inner).expect("it can be put into a job");
    let in_time = process::wait_for_end(inner.id(), longest);
    if !in_time {
        job.end();
    }
    let status = inner.wait().expect("it is a child");
    let output = contents(&mut output);
    assert!(in_time, "{name} did not end within {longest:?}; it printed:\n{output}");
    assert!(status.success() && output.contains("1 passed"), "{name}: {status}; it printed:\n{output}");
    blocking_until(
        || job.active() == 0,
        || format!("{name} left {} processes behind; it printed:\n{output}", job.active()),
    );
    output
}

fn contents(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("the output can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
