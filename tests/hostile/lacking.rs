//! A program without room for what offproc needs, before its first call or later: each call is a result or
//! `Error::Spawn`, nothing hangs or panics, what has nothing to wait for is closed, and once there is room calls work.

use offproc_tests::isolated;
use offproc_tests::portable::is_left_out;
use offproc_tests::process::wait_for_end;
use offproc_tests::scratch::unnamed_file;
use offproc_tests::waiting::PATIENCE;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};

isolated!(
    descriptors_at_the_first_call,
    descriptors_later,
    processes,
    threads_and_processes_by_a_filter,
    what_a_reactor_is_made_of,
    timers_and_bells_of_the_kernel,
    pidfds,
    in_a_fork_before_the_first_call,
    in_a_fork_later,
);

const KINDS: [&str; 3] = ["spawn", "fork_server", "fork"];
const CALLERS: [&str; 3] = ["tokio", "foreign", "wait"];

struct Running {
    name: String,
    program: Child,
    output: File,
}

impl Running {
    fn start(what: &str, moment: &str, caller: &str, kind: &str) -> Self {
        let output = unnamed_file();
        let file = || -> Stdio { output.try_clone().expect("one more descriptor").into() };
        let mut program = Command::new(env!("CARGO_BIN_EXE_lacking"));
        program.args([what, moment, caller, kind]).stdin(Stdio::null()).stdout(file()).stderr(file());
        let program = program.spawn().expect("the program runs");
        Self { name: format!("{what} {moment} {caller} {kind}"), program, output }
    }

    /// What it has printed last: whether its calls had results.
    fn end(mut self) -> (String, String) {
        let in_time = wait_for_end(self.program.id(), PATIENCE);
        if !in_time {
            let _ = self.program.kill();
        }
        let status = self.program.wait().expect("it is a child");
        let mut printed = Vec::new();
        self.output.rewind().and_then(|()| self.output.read_to_end(&mut printed)).expect("the output can be read");
        let printed = String::from_utf8_lossy(&printed).into_owned();
        assert!(in_time, "{} hangs; it printed:\n{printed}", self.name);
        assert!(status.success(), "{}: {status}; it printed:\n{printed}", self.name);
        let last = printed.lines().last().unwrap_or_default().to_owned();
        (last, printed)
    }
}

/// Runs it for each of these, side by side, with every caller and kind of worker.
fn every(lacks: &[&str], moment: &str, check: impl Fn(&str, &str, &str, &str)) {
    for caller in CALLERS {
        for kind in KINDS {
            let running: Vec<_> =
                lacks.iter().map(|what| (*what, Running::start(what, moment, caller, kind))).collect();
            for (what, running) in running {
                let name = running.name.clone();
                let (last, printed) = running.end();
                check(what, &name, &last, &printed);
            }
        }
    }
}

fn some_descriptors(moment: &str) {
    let few: Vec<String> = (3..=12).map(|most| format!("descriptors={most}")).collect();
    let few: Vec<&str> = few.iter().map(String::as_str).collect();
    every(&few, moment, |what, name, last, printed| {
        if what == "descriptors=3" {
            assert_eq!(last, "errors", "{name}:\n{printed}");
        }
        assert!(["errors", "results"].contains(&last), "{name}:\n{printed}");
    });
}

fn descriptors_at_the_first_call() {
    some_descriptors("first");
}

fn descriptors_later() {
    some_descriptors("later");
}

/// Threads, too, are processes that count.
fn processes() {
    let few: Vec<String> = (0..=9).map(|most| format!("processes={most}")).collect();
    let few: Vec<&str> = few.iter().map(String::as_str).collect();
    for moment in ["first", "later"] {
        every(&few, moment, |what, name, last, printed| {
            if ["processes=0", "processes=1"].contains(&what) {
                assert_eq!(last, "errors", "{name}:\n{printed}");
            }
            assert!(["errors", "results"].contains(&last), "{name}:\n{printed}");
        });
    }
}

fn threads_and_processes_by_a_filter() {
    for moment in ["first", "later"] {
        every(&["clones"], moment, |_, name, last, printed| assert_eq!(last, "errors", "{name}:\n{printed}"));
    }
}

fn what_a_reactor_is_made_of() {
    let calls = ["epoll_create1=EPERM", "epoll_create1=ENOSYS", "epoll_ctl=EPERM", "epoll_ctl=ENOSYS"];
    every(&calls, "first", |_, name, last, printed| {
        assert_eq!(last, "errors", "{name}:\n{printed}");
        assert!(printed.contains("epoll"), "{name}:\n{printed}");
    });
    every(&calls[..2], "later", |_, name, last, printed| assert_eq!(last, "results", "{name}:\n{printed}"));
    // An answer may be there before it has to be waited for.
    every(&calls[2..], "later", |_, name, last, printed| {
        assert!(["errors", "results"].contains(&last), "{name}:\n{printed}");
    });
}

fn timers_and_bells_of_the_kernel() {
    let calls = ["timerfd_create=EPERM", "timerfd_create=ENOSYS", "eventfd2=EPERM", "eventfd2=ENOSYS"];
    for moment in ["first", "later"] {
        every(&calls, moment, |_, name, last, printed| assert_eq!(last, "results", "{name}:\n{printed}"));
    }
}

fn pidfds() {
    if is_left_out("it has no pidfds anyhow") {
        return;
    }
    for moment in ["first", "later"] {
        every(&["pidfd_open=EPERM", "pidfd_open=ENOSYS"], moment, |_, name, last, printed| {
            assert_eq!(last, "errors", "{name}:\n{printed}");
            assert!(printed.contains("pidfd_open"), "{name}:\n{printed}");
        });
    }
}

fn in_a_fork_before_the_first_call() {
    every(&["nothing"], "first", |_, name, last, printed| assert_eq!(last, "results", "{name}:\n{printed}"));
}

fn in_a_fork_later() {
    every(&["nothing"], "later", |_, name, last, printed| assert_eq!(last, "results", "{name}:\n{printed}"));
}
