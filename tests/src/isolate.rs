//! A process of its own for each test.
//!
//! `cargo test` runs tests side by side in one process, where a child or descriptor that is left could be of any of
//! them. So a test runs its own executable once more, for itself alone. In there, the leak check comes after the test.
//! Out here, nothing that it started may outlive it, and a test that hangs is ended with all it has printed so far.

use crate::process;
use rustix::process::{Pid, Signal};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names the one test that an inner process runs.
const INNER: &str = "OFFPROC_TEST_INNER";

/// Set where the system is to refuse memory files.
const WITHOUT_MEMORY_FILES: &str = "OFFPROC_TEST_WITHOUT_MEMORY_FILES";

/// Far more than any test takes on a busy machine; it turns a hang into a failure.
const LONGEST: Duration = Duration::from_secs(180);

/// Runs the test of this name, with its crate in front, in a process of its own.
pub fn run(name: &str, test: impl FnOnce()) {
    run_within(LONGEST, &[], name, test);
}

/// Runs the test of this name twice: as the system is, and as if it had no memory files, with its workers. The portable
/// build uses none.
pub fn run_with_and_without_memory_files(name: &str, test: impl FnOnce()) {
    let environments: &[&[_]] = &[&[], &[(WITHOUT_MEMORY_FILES, "1")]];
    run_in_each(&environments[usize::from(cfg!(offproc_portable))..], LONGEST, name, Box::new(test));
}

/// The same for a test that may take longer, or needs variables in its environment. What it prints is passed on.
pub fn run_within(longest: Duration, environment: &[(&str, &str)], name: &str, test: impl FnOnce()) {
    run_in_each(&[environment], longest, name, Box::new(test));
}

/// Compiled once, and not for each test.
fn run_in_each(environments: &[&[(&str, &str)]], longest: Duration, name: &str, test: Box<dyn FnOnce() + '_>) {
    let (_crate, name) = name.split_once("::").expect("a test in a module");
    if std::env::var(INNER).is_ok_and(|inner| inner == name) {
        if has_no_memory_files() {
            crate::refusal::refuse(libc::SYS_memfd_create, libc::ENOSYS);
        }
        crate::leak::check(test);
    } else {
        for environment in environments {
            print!("{}", run_inner(name, longest, environment));
        }
    }
}

/// Whether this test runs as if the system had no memory files.
#[must_use]
pub fn has_no_memory_files() -> bool {
    std::env::var_os(WITHOUT_MEMORY_FILES).is_some()
}

fn run_inner(name: &str, longest: Duration, environment: &[(&str, &str)]) -> String {
    process::adopt_orphans();
    let mut output = crate::scratch::unnamed_file();
    let file = || -> Stdio { output.try_clone().expect("one more descriptor").into() };
    let mut inner = Command::new(std::env::current_exe().expect("the test's executable"));
    let is_emulated = process::is_emulated();
    // SAFETY: a single system call, between fork and exec.
    unsafe {
        // The thread that it goes by is this one, which waits for the end.
        inner.pre_exec(move || match rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
            Err(_) if is_emulated => Ok(()),
            set => Ok(set?),
        });
    }
    let mut inner = inner
        .args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(INNER, name)
        // Of the many panics in jobs; to look up the names takes most of the time that they take.
        .env("RUST_BACKTRACE", "0")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(file())
        .stderr(file())
        .process_group(0)
        .spawn()
        .expect("the test's executable runs once more");
    let group = Pid::from_child(&inner);
    let in_time = process::wait_for_end(inner.id(), longest);
    if !in_time {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let status = inner.wait().expect("it is a child");
    let left = process::reap_group(group);
    let output = contents(&mut output);
    assert!(in_time, "{name} did not end within {longest:?}; it printed:\n{output}");
    assert!(status.success() && output.contains("1 passed"), "{name}: {status}; it printed:\n{output}");
    assert!(left.is_empty(), "{name} left processes behind that had to be killed: {left:?}; it printed:\n{output}");
    output
}

fn contents(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("the output can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
