//! Children that were workers of the program that this process ran before an `exec`. They ended with it, and the new
//! program does not know that it has to reap them.

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fs;

/// The names that workers and fork servers give themselves.
const NAMES: [&str; 3] = ["offproc-worker", "offproc-forker", "offproc-spare"];

/// Children of this process that have such a name; none where there is no `/proc`.
pub(crate) fn children() -> Vec<Pid> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<_> =
        children.flat_map(|all| all.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let pids = children.iter().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
    pids.filter(|pid| stat(*pid).is_some_and(|(name, _)| NAMES.contains(&name.as_str()))).collect()
}

/// True for one that has ended and was not waited for.
pub(crate) fn is_zombie(pid: Pid) -> bool {
    stat(pid).is_some_and(|(name, state)| state == 'Z' && NAMES.contains(&name.as_str()))
}

/// `waitid`: waits for one that has ended.
pub(crate) fn reap(pid: Pid) {
    let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}

/// Its name and its state.
fn stat(pid: Pid) -> Option<(String, char)> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    Some((name.to_owned(), rest.chars().next()?))
}
