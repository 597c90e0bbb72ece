//! Processes, as the kernel shows them.

use crate::waiting::PATIENCE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpgid};
use std::fs;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The children of this process and theirs, zombies included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family(Vec<Member>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    pid: u32,
    name: String,
    stat: Stat,
}

impl Family {
    /// The family as it is now.
    ///
    /// # Panics
    ///
    /// There is no `/proc`.
    #[must_use]
    pub fn now() -> Self {
        let mut others: Vec<_> =
            numbers().filter_map(|pid| Some(Member { pid, name: name(pid)?, stat: stat(pid)? })).collect();
        let mut family = Vec::new();
        let mut parents = vec![std::process::id()];
        while let Some(parent) = parents.pop() {
            let (children, rest) = others.into_iter().partition(|other: &Member| other.stat.parent == parent);
            others = rest;
            parents.extend(children.iter().map(|child| child.pid));
            family.extend(children);
        }
        Self(family)
    }

    /// True when there is no process.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.0.iter().map(|member| member.pid).collect()
    }

    /// Those with a hello: neither fork servers nor their spares.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        self.named("offproc-worker")
    }

    /// The fork servers of this process. (A worker has its maker's name in its first moments.)
    #[must_use]
    pub fn fork_servers(&self) -> Vec<u32> {
        let is_one = |member: &&Member| member.name == "offproc-forker" && member.stat.parent == std::process::id();
        self.0.iter().filter(is_one).map(|member| member.pid).collect()
    }

    /// Those of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<u32> {
        self.0.iter().filter(|member| member.name == name).map(|member| member.pid).collect()
    }
}

/// The name that `ps` shows.
#[must_use]
pub fn name(pid: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// True once a process has ended, reaped or not.
#[must_use]
pub fn has_ended(pid: u32) -> bool {
    stat(pid).is_none_or(|stat| matches!(stat.state, 'Z' | 'X'))
}

/// True while a process is stopped.
#[must_use]
pub fn is_stopped(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'T')
}

/// True once nothing of a process is left, not even a zombie.
#[must_use]
pub fn is_reaped(pid: u32) -> bool {
    stat(pid).is_none()
}

/// True while a process waits for something.
#[must_use]
pub fn is_asleep(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'S')
}

/// Kills a process.
pub fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

/// A handle to a child or grandchild: unlike its number, it never becomes another's.
#[must_use]
pub fn open_relative(pid: u32) -> Option<OwnedFd> {
    let process = open(pid)?;
    let parent = stat(pid)?.parent;
    let own = std::process::id();
    (parent == own || stat(parent)?.parent == own).then_some(process)
}

/// Sends a signal to a process, which may have gone.
pub fn send(pid: u32, signal: Signal) {
    let _ = kill_process(number(pid), signal);
}

/// Blocks until a process has ended; false when that took too long.
#[must_use]
pub fn wait_for_end(pid: u32, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let Some(process) = open(pid) else { return true };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("minutes at most");
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return ready.is_ok_and(|count| count > 0),
        }
    }
}

/// Blocks until a process has ended, child or not.
///
/// # Panics
///
/// It did not, in all patience.
pub fn must_end(pid: u32) {
    assert!(wait_for_end(pid, PATIENCE), "process {pid} still lives after {PATIENCE:?}");
}

/// True in a program for another processor, which `tests/platforms/run-qemu` runs: its emulator refuses `prctl`'s
/// `PR_SET_CHILD_SUBREAPER` and `PR_SET_PDEATHSIG`.
#[must_use]
pub fn is_emulated() -> bool {
    std::env::var_os("OFFPROC_TEST_EMULATOR").is_some()
}

/// Makes this process the parent of descendants that lose theirs, so that it can see what becomes of them.
pub fn adopt_orphans() {
    let adopted = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    assert!(adopted.is_ok() || is_emulated(), "Linux has subreapers: {adopted:?}");
}

/// Waits until no process of a group is left, reaping those that are children of this one. Kills and returns those that
/// stay.
pub fn reap_group(group: Pid) -> Vec<u32> {
    let deadline = Instant::now() + PATIENCE;
    let mut killed = Vec::new();
    loop {
        match waitpgid(group, WaitOptions::NOHANG) {
            Ok(Some((pid, _))) if Instant::now() > deadline => killed.push(pid.as_raw_nonzero().get().cast_unsigned()),
            Ok(Some(_)) => {}
            Ok(None) => {
                if Instant::now() > deadline {
                    let _ = rustix::process::kill_process_group(group, Signal::KILL);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            // Where this process could not adopt them, the rest are children of another.
            Err(_) => {
                let left = living_in(group);
                if Instant::now() > deadline {
                    left.iter().copied().for_each(kill);
                    killed.extend(left);
                    return killed;
                } else if left.is_empty() {
                    return killed;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// The processes of a group that have not ended.
fn living_in(group: Pid) -> Vec<u32> {
    let group = group.as_raw_nonzero().get().cast_unsigned();
    let lives = |pid: &u32| stat(*pid).is_some_and(|stat| stat.group == group && !matches!(stat.state, 'Z' | 'X'));
    numbers().filter(lives).collect()
}

/// Those of all processes, in no order.
fn numbers() -> impl Iterator<Item = u32> {
    let listed = fs::read_dir("/proc").expect("/proc is mounted");
    listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: u32,
    group: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may contain anything, brackets included.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    Some(Stat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

fn open(pid: u32) -> Option<OwnedFd> {
    pidfd_open(number(pid), PidfdFlags::empty()).ok()
}

fn number(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).expect("not zero")
}
