use super::*;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A group whose leader has ended, and is not reaped; and the pidfd of the other member.
fn leaderless_group() -> (Child, Descriptor) {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 > /dev/null & echo $!"]).process_group(0);
    let (mut read, write) = std::io::pipe().unwrap();
    let child = Child::spawn(command.stdin(Stdio::null()).stdout(write)).unwrap();
    drop(command);
    let mut printed = String::new();
    read.read_to_string(&mut printed).unwrap();
    let member = open(Pid::from_raw(printed.trim().parse().unwrap()).unwrap()).unwrap();
    assert!(child.wait_until(soon()));
    (child, member)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// Whether the process has ended, or does so soon.
fn ends(pidfd: Descriptor) -> bool {
    Child::new(0, pidfd).wait_until(soon())
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
    child.kill_group_of_unreaped();
    assert!(ends(member));
    child.try_wait(Extent::Process).unwrap();
}

#[test]
fn a_process_is_reaped_alone() {
    let (child, member) = leaderless_group();
    child.try_wait(Extent::Process).unwrap();
    let member = Child::new(0, member);
    assert!(!member.wait_until(Instant::now()));
    member.kill(Extent::Process);
}
