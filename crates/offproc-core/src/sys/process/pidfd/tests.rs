use super::super::child::Extent;
use super::*;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A group whose leader has ended, and is not reaped; and the pidfd of the other member.
fn leaderless_group() -> (Child<ProcessHandle>, ProcessHandle) {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 > /dev/null & echo $!"]).process_group(0);
    let (mut read, write) = UnixStream::pair().unwrap();
    let child = command.stdin(Stdio::null()).stdout(OwnedFd::from(write)).spawn().unwrap();
    let child = Child::of_spawned(child).unwrap();
    drop(command);
    let mut printed = String::new();
    read.read_to_string(&mut printed).unwrap();
    let member = ProcessHandle::open(Pid::from_raw(printed.trim().parse().unwrap()).unwrap()).unwrap();
    assert!(child.wait_until(soon()));
    (child, member)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// Whether the process has ended, or does so soon.
fn ends(pidfd: ProcessHandle) -> bool {
    pidfd.wait_until(soon())
}

#[test]
fn a_group_is_killed_when_its_leader_is_reaped() {
    let (child, member) = leaderless_group();
    assert!(child.try_wait(Extent::Group).unwrap().is_some_and(|how| how.status().success()));
    assert!(ends(member));
}

#[test]
fn a_group_is_killed_by_its_number_where_the_kernel_knows_no_better() {
    let (child, member) = leaderless_group();
    child.inner().kill_group_by_number();
    assert!(ends(member));
    child.try_wait(Extent::Process).unwrap();
}

#[test]
fn a_process_is_reaped_alone() {
    let (child, member) = leaderless_group();
    child.try_wait(Extent::Process).unwrap();
    assert!(!member.wait_until(Instant::now()));
    member.kill().unwrap();
}
