//! Behind engines that exist, in the surroundings that the scripts in `tests/cluster` make.

use super::{HEARTBEAT, broken, this};
use offproc::{Error, WorkerContext, WorkerContextBuilder, WorkerType};
use offproc_tests::job::pid;
use offproc_tests::process::{kill, must_end};
use offproc_tests::scratch::Scratch;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

/// This program as a worker, behind another command.
fn behind(program: &str, arguments: &[&str]) -> Command {
    let worker = this();
    let mut command = Command::new(program);
    command.args(arguments).arg(worker.get_program()).args(worker.get_args());
    command
}

/// False, with a word about it, where the surroundings of a test are not there.
fn is_inside(variable: &str) -> bool {
    let is_inside = std::env::var_os(variable).is_some();
    if !is_inside {
        println!("left out: {variable} is not set; tests/cluster.sh sets it");
    }
    is_inside
}

pub(crate) fn ssh() {
    if !is_inside("OFFPROC_SSH_CONFIG") {
        return;
    }
    let config = std::env::var("OFFPROC_SSH_CONFIG").unwrap();
    let workers = WorkerType::command(move |_| behind("ssh", &["-F", &config, "local"]));
    let context = WorkerContext::builder().worker_type(workers).max_concurrency(1).open().unwrap();
    let squares: Result<Vec<u64>, _> = context.map(|n: u64| n * n, 0..200).wait().collect();
    assert_eq!(squares.unwrap(), (0..200).map(|n| n * n).collect::<Vec<_>>());
    let bytes = vec![7_u8; 1 << 20];
    assert_eq!(context.run_sync(|bytes: Vec<u8>| bytes, bytes.clone()).wait().unwrap(), bytes);
    // When ssh dies, the server leaves a busy worker alone; it ends by itself.
    let worker = context.run_sync(pid, ()).wait().unwrap();
    let mut call = context.run_sync(spin, 60_000);
    assert!(futures::FutureExt::now_or_never(&mut call).is_none());
    let launcher = launchers("ssh").pop().expect("one that has started the worker");
    kill(launcher);
    broken(call.wait());
    must_end(worker);
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    context.close().wait().unwrap();
}

pub(crate) fn bwrap() {
    if !is_inside("OFFPROC_SSH_CONFIG") {
        return;
    }
    let arguments = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--die-with-parent"];
    let workers = WorkerType::command(move |_| behind("bwrap", &arguments));
    let context = WorkerContext::builder().worker_type(workers).max_concurrency(2).open().unwrap();
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    let written = context.run_sync(|path: String| fs::write(path, "").is_ok(), "/offproc-was-here".to_owned());
    assert!(!written.wait().unwrap(), "it is in its sandbox");
    assert!(context.run_sync(pid, ()).wait().unwrap() < 10, "with processes of its own");
    context.close().wait().unwrap();
}

/// The children of this program with a name.
fn launchers(name: &str) -> Vec<u32> {
    let children = offproc_tests::process::Family::now();
    children.pids().into_iter().filter(|pid| of(*pid, "comm").trim() == name).collect()
}

fn of(pid: u32, file: &str) -> String {
    fs::read(format!("/proc/{pid}/{file}"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn spin(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Leaves a mark of having run; returns on which node it did.
fn mark((file, number, milliseconds): (String, u32, u64)) -> String {
    let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
    file.write_all(format!("{number}\n").as_bytes()).unwrap();
    spin(milliseconds);
    std::env::var("SLURMD_NODENAME").unwrap_or_default()
}

/// Even indices on one node, odd ones on the other.
fn on_nodes() -> WorkerContextBuilder {
    let workers = WorkerType::command(|index| {
        let node = if index % 2 == 0 { "--nodelist=n1" } else { "--nodelist=n2" };
        behind("srun", &["--quiet", "--immediate=5", "-N1", "-n1", "-u", node])
    });
    WorkerContext::builder().worker_type(workers).max_concurrency(4).heartbeat(HEARTBEAT)
}

/// Runs many calls while something happens to node n2 after the first of them. Every call ends once, none runs twice,
/// the other node goes on, and no worker is left.
fn survives(happens: impl FnOnce(), left: &[&str]) {
    let scratch = Scratch::new();
    let file = scratch.path("marks");
    let context = on_nodes().open().unwrap();
    context.warm_up(4).wait().unwrap();
    let workers = workers_here();
    assert!(workers.len() >= 4, "{workers:?}");
    let mut happens = Some(happens);
    let calls = (0..200).map(|number| {
        let call = context.run_sync(mark, (file.clone(), number, 10));
        async move { (number, call.await) }
    });
    let mut ends = Vec::new();
    smol::block_on(async {
        use futures::StreamExt;
        let mut calls = futures::stream::iter(calls).buffer_unordered(16);
        while let Some(end) = calls.next().await {
            ends.push(end);
            if ends.len() == 40 {
                happens.take().expect("once")();
            }
        }
    });
    let marks = fs::read_to_string(&file).unwrap();
    let marks: Vec<u32> = marks.lines().map(|line| line.parse().unwrap()).collect();
    let once: BTreeSet<_> = marks.iter().collect();
    assert_eq!(once.len(), marks.len(), "none runs twice");
    assert_eq!(ends.len(), 200);
    let mut nodes = BTreeSet::new();
    for (number, end) in ends {
        match end {
            Ok(node) => {
                assert!(once.contains(&number));
                nodes.insert(node);
            }
            Err(Error::BrokenWorker(_)) => {}
            Err(other) => panic!("{number}: {other}"),
        }
    }
    assert_eq!(nodes.into_iter().collect::<Vec<_>>(), ["n1", "n2"]);
    assert!(left.contains(&context.run_sync(mark, (file, 1000, 0)).wait().unwrap().as_str()));
    let _ = context.close().wait();
    workers.into_iter().for_each(must_end);
}

/// All workers on this machine: both nodes are on it.
fn workers_here() -> Vec<u32> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid| of(*pid, "cmdline").ends_with("--worker\0") && of(*pid, "comm").starts_with("offproc"))
        .collect()
}

pub(crate) fn slurm_runs_on_both_nodes() {
    if is_inside("OFFPROC_SLURM") {
        survives(|| (), &["n1", "n2"]);
    }
}

pub(crate) fn slurm_loses_a_node() {
    if !is_inside("OFFPROC_SLURM") {
        return;
    }
    survives(
        || {
            let network = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
            let ours = network(std::process::id());
            let numbers =
                fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
            let daemons = numbers.filter(|pid| of(*pid, "comm").starts_with("slurm") && network(*pid) != ours);
            let daemons: Vec<u32> = daemons.collect();
            assert!(daemons.len() >= 2, "one for the node and one for each step: {daemons:?}");
            daemons.into_iter().for_each(kill);
        },
        &["n1"],
    );
}

pub(crate) fn slurm_loses_a_cable() {
    if !is_inside("OFFPROC_SLURM") {
        return;
    }
    let pull = || {
        let pulled = Command::new("ip").args(["link", "set", "cable", "down"]).status();
        assert!(pulled.unwrap().success());
    };
    survives(pull, &["n1"]);
}
