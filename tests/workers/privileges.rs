//! No job runs with rights that the program has given up: not in a cached worker, nor by a fork server, nor in a worker
//! that is about to start.

use offproc_tests::isolated;
use rustix::process::geteuid;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

isolated!(
    that_are_given_up_are_no_idle_worker_s,
    that_are_given_up_are_no_new_worker_s,
    that_are_given_up_leave_a_running_job_alone,
    that_are_given_up_are_not_needed_for_a_kill,
    that_are_given_up_are_not_needed_for_a_close,
);

const KINDS: [&str; 3] = ["spawn", "fork_server", "fork"];
const WAYS: [&str; 7] =
    ["user", "group", "groups", "effective-user", "root-directory", "capabilities", "no-new-privileges"];

/// What the program says that gives them up.
fn report(kind: &str, way: &str, meanwhile: &str) -> String {
    let program = env!("CARGO_BIN_EXE_gives_up");
    let output = Command::new(program).args([kind, way, meanwhile]).output().expect("it starts");
    assert!(output.status.success(), "{kind} {way} {meanwhile}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// False where there is nothing to give up. Others than root must be able to execute the program then.
fn is_root() -> bool {
    if !geteuid().is_root() {
        println!("SKIPPED: only root has rights to give up");
        return false;
    }
    let mut path = Some(std::path::Path::new(env!("CARGO_BIN_EXE_gives_up")));
    while let Some(place) = path {
        if std::fs::metadata(place).expect("it is there").permissions().mode() & 0o001 == 0 {
            println!("SKIPPED: {} is for root alone", place.display());
            return false;
        }
        path = place.parent().filter(|parent| *parent != std::path::Path::new("/"));
    }
    true
}

fn that_are_given_up_are_no_idle_worker_s() {
    for (kind, way) in KINDS.into_iter().flat_map(|kind| WAYS.map(|way| (kind, way))).filter(|_| is_root()) {
        // The executable is not below the new root, where it would have to be loaded from; and a new process would not
        // have two users, as an `exec` makes one of them.
        if !["root-directory", "effective-user"].contains(&way) || kind == "fork" {
            assert_eq!(report(kind, way, "nothing"), "Ok(())\n", "{kind} {way}");
        }
    }
}

fn that_are_given_up_are_no_new_worker_s() {
    for (kind, way) in KINDS.into_iter().flat_map(|kind| ["user", "groups"].map(|way| (kind, way))) {
        if is_root() {
            assert_eq!(report(kind, way, "at-once"), "Ok(())\n", "{kind} {way}");
        }
    }
}

fn that_are_given_up_leave_a_running_job_alone() {
    for kind in KINDS.into_iter().filter(|_| is_root()) {
        assert_eq!(report(kind, "user", "a-job"), "Ok(())\n", "{kind}");
    }
}

fn that_are_given_up_are_not_needed_for_a_kill() {
    for kind in KINDS.into_iter().filter(|_| is_root()) {
        assert_eq!(report(kind, "user", "a-killed-job"), "Ok(())\n", "{kind}");
    }
}

fn that_are_given_up_are_not_needed_for_a_close() {
    // A fork of the program does not do its work at exit.
    for kind in ["spawn", "fork_server"].into_iter().filter(|_| is_root()) {
        assert_eq!(report(kind, "user", "a-close"), "true\n", "{kind}");
    }
}
